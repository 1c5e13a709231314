package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// larder gives each ConfigMap a shelf, and refuses those that hold poison, or change what is sealed.
type larder struct{}

func (larder) Default(_ context.Context, object *corev1.ConfigMap) error {
	if object.Data == nil {
		object.Data = map[string]string{}
	}
	if _, ok := object.Data["shelf"]; !ok {
		object.Data["shelf"] = "top"
	}
	return nil
}

func (larder) ValidateCreate(_ context.Context, object *corev1.ConfigMap) (admission.Warnings, error) {
	if _, ok := object.Data["poison"]; ok {
		return nil, fmt.Errorf("nobody eats poison")
	}
	return admission.Warnings{"wash it first"}, nil
}

func (larder) ValidateUpdate(_ context.Context, old, object *corev1.ConfigMap) (admission.Warnings, error) {
	if old.Data["shelf"] != object.Data["shelf"] {
		return nil, fmt.Errorf("it stays on its shelf")
	}
	return nil, nil
}

func (larder) ValidateDelete(_ context.Context, object *corev1.ConfigMap) (admission.Warnings, error) {
	if object.Labels["keep"] == "true" {
		return nil, fmt.Errorf("it is kept")
	}
	return nil, nil
}

// warnings keeps what the server warned of.
type warnings struct{ texts []string }

func (w *warnings) HandleWarningHeader(_ int, _ string, text string) { w.texts = append(w.texts, text) }

func managedWebhooks(ctx context.Context, config *rest.Config) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	folder, err := os.MkdirTemp("", "cellplane-webhooks-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	authority, err := selfSigned(folder)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if err = listener.Close(); err != nil {
		return err
	}
	manager, err := ctrl.NewManager(config, ctrl.Options{
		Metrics:       server.Options{BindAddress: "0"},
		WebhookServer: webhook.NewServer(webhook.Options{Host: "127.0.0.1", Port: port, CertDir: folder}),
	})
	if err != nil {
		return err
	}
	err = ctrl.NewWebhookManagedBy(manager, &corev1.ConfigMap{}).WithDefaulter(larder{}).WithValidator(larder{}).Complete()
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- manager.Start(ctx) }()
	if err = eventually(ctx, "the webhooks listen", func() error {
		return manager.GetWebhookServer().StartedChecker()(nil)
	}); err != nil {
		return err
	}

	told := &warnings{}
	config.WarningHandler = told
	direct, err := client.New(config, client.Options{})
	if err != nil {
		return err
	}
	kitchen := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kitchen", Labels: map[string]string{"larder": "true"}}}
	if err = direct.Create(ctx, kitchen); err != nil {
		return err
	}
	if err = register(ctx, direct, fmt.Sprintf("https://127.0.0.1:%d", port), authority); err != nil {
		return err
	}
	if err = larderRules(ctx, direct, told); err != nil {
		return err
	}
	stop()
	return <-ended
}

func larderRules(ctx context.Context, direct client.Client, told *warnings) error {
	stored := func(name string, data, labels map[string]string) *corev1.ConfigMap {
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "kitchen", Labels: labels}, Data: data}
	}
	bread := stored("bread", map[string]string{"slices": "20"}, map[string]string{"keep": "true"})
	if err := direct.Create(ctx, bread); err != nil {
		return err
	}
	if err := want("the shelf", bread.Data["shelf"], "top"); err != nil {
		return err
	}
	if err := want("warnings", told.texts, []string{"wash it first"}); err != nil {
		return err
	}
	refused := func(what string, err error) error {
		if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), what) ||
			!strings.Contains(err.Error(), `admission webhook "validate.larder.example.com" denied the request`) {
			return fmt.Errorf("wanted a refusal with %q, got %v", what, err)
		}
		return nil
	}
	if err := refused("nobody eats poison", direct.Create(ctx, stored("bait", map[string]string{"poison": "x"}, nil))); err != nil {
		return err
	}
	patch := client.RawPatch(types.MergePatchType, []byte(`{"data":{"shelf":"floor"}}`))
	if err := refused("it stays on its shelf", direct.Patch(ctx, bread, patch)); err != nil {
		return err
	}
	if err := refused("it is kept", direct.Delete(ctx, bread)); err != nil {
		return err
	}
	if err := refused("nobody eats poison", direct.Create(ctx, stored("dry", map[string]string{"poison": "x"}, nil), client.DryRunAll)); err != nil {
		return err
	}
	elsewhere := stored("bait", map[string]string{"poison": "x"}, nil)
	elsewhere.Namespace = "default"
	return direct.Create(ctx, elsewhere)
}

// register asks for the webhooks in namespaces that have a larder.
func register(ctx context.Context, direct client.Client, origin string, authority []byte) error {
	selector := &metav1.LabelSelector{MatchLabels: map[string]string{"larder": "true"}}
	none := admissionv1.SideEffectClassNone
	config := func(path string) admissionv1.WebhookClientConfig {
		url := origin + path
		return admissionv1.WebhookClientConfig{URL: &url, CABundle: authority}
	}
	rules := func(operations ...admissionv1.OperationType) []admissionv1.RuleWithOperations {
		rule := admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"configmaps"}}
		return []admissionv1.RuleWithOperations{{Operations: operations, Rule: rule}}
	}
	mutating := &admissionv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "larder"},
		Webhooks: []admissionv1.MutatingWebhook{{
			Name: "default.larder.example.com", ClientConfig: config("/mutate--v1-configmap"),
			Rules: rules(admissionv1.Create), NamespaceSelector: selector,
			SideEffects: &none, AdmissionReviewVersions: []string{"v1"},
		}},
	}
	if err := direct.Create(ctx, mutating); err != nil {
		return err
	}
	return direct.Create(ctx, &admissionv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "larder"},
		Webhooks: []admissionv1.ValidatingWebhook{{
			Name: "validate.larder.example.com", ClientConfig: config("/validate--v1-configmap"),
			Rules:             rules(admissionv1.Create, admissionv1.Update, admissionv1.Delete),
			NamespaceSelector: selector, SideEffects: &none, AdmissionReviewVersions: []string{"v1"},
		}},
	})
}

// selfSigned writes tls.crt and tls.key for 127.0.0.1 into the folder; it returns the certificate.
func selfSigned(folder string) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "webhooks"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	encoded, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	bundle := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})
	if err = os.WriteFile(filepath.Join(folder, "tls.crt"), bundle, 0o600); err != nil {
		return nil, err
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: encoded})
	return bundle, os.WriteFile(filepath.Join(folder, "tls.key"), block, 0o600)
}
