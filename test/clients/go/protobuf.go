package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apitypes "k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// answered notes the Content-Type of every answer.
type answered struct {
	next  http.RoundTripper
	mutex sync.Mutex
	types map[string]int
}

func (a *answered) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := a.next.RoundTrip(request)
	if err == nil {
		a.mutex.Lock()
		a.types[response.Header.Get("Content-Type")]++
		a.mutex.Unlock()
	}
	return response, err
}

// protobufOnly is a client that accepts nothing but protobuf.
func protobufOnly(ctx context.Context, config *rest.Config) error {
	types := &answered{types: map[string]int{}}
	config.ContentType, config.AcceptContentTypes = protobuf, protobuf
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		types.next = next
		return types
	})
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "binary"}}
	if _, err = clients.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{}); err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactoryWithOptions(clients, 0, informers.WithNamespace("binary"))
	seen := make(chan string, 100)
	informer := factory.Apps().V1().Deployments()
	_, err = informer.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { seen <- "added" },
		UpdateFunc: func(any, any) { seen <- "updated" },
		DeleteFunc: func(any) { seen <- "deleted" },
	})
	if err != nil {
		return err
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())

	wanted := webDeployment("web")
	wanted.Annotations = map[string]string{"note": "ö"}
	unavailable := intstr.FromString("25%")
	wanted.Spec.Strategy.Type = "RollingUpdate"
	wanted.Spec.Template.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "CPU", ValueFrom: &corev1.EnvVarSource{
		ResourceFieldRef: &corev1.ResourceFieldSelector{Resource: "requests.cpu", Divisor: resource.MustParse("1m")},
	}}}
	wanted.Spec.Template.Spec.Containers[0].LivenessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{
		HTTPGet: &corev1.HTTPGetAction{Path: "/", Port: intstr.FromInt32(80)},
	}}
	made, err := clients.AppsV1().Deployments("binary").Create(ctx, wanted, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	if err = want("maxUnavailable", made.Spec.Strategy.RollingUpdate.MaxUnavailable.String(), unavailable.String()); err != nil {
		return err
	}
	container := made.Spec.Template.Spec.Containers[0]
	if err = want("container", fmt.Sprint(container.Env[0].ValueFrom.ResourceFieldRef.Divisor.String(), container.LivenessProbe.HTTPGet.Port.IntValue(), made.CreationTimestamp.IsZero()), "1m80 false"); err != nil {
		return err
	}
	patch := []byte(`{"metadata":{"labels":{"a":"b"}}}`)
	if _, err = clients.AppsV1().Deployments("binary").Patch(ctx, "web", apitypes.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		return err
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "s"}, Data: map[string][]byte{"k": {0, 255}, "empty": {}}}
	kept, err := clients.CoreV1().Secrets("binary").Create(ctx, secret, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	if err = want("secret", fmt.Sprint(kept.Data), "map[empty:[] k:[0 255]]"); err != nil {
		return err
	}
	listed, err := clients.AppsV1().Deployments("").List(ctx, metav1.ListOptions{Limit: 1})
	if err != nil {
		return err
	}
	if err = want("listed", len(listed.Items), 1); err != nil {
		return err
	}
	lister, err := metadata.NewForConfig(config)
	if err != nil {
		return err
	}
	partial, err := lister.Resource(corev1.SchemeGroupVersion.WithResource("secrets")).Namespace("binary").Get(ctx, "s", metav1.GetOptions{})
	if err != nil {
		return err
	}
	if err = want("metadata", partial.UID, kept.UID); err != nil {
		return err
	}
	if err = clients.AppsV1().Deployments("binary").Delete(ctx, "web", metav1.DeleteOptions{}); err != nil {
		return err
	}
	for _, event := range []string{"added", "updated", "deleted"} {
		select {
		case got := <-seen:
			if err = want("event", got, event); err != nil {
				return err
			}
		case <-ctx.Done():
			return fmt.Errorf("no event %s: %w", event, ctx.Err())
		}
	}
	_, err = clients.AppsV1().Deployments("binary").Get(ctx, "web", metav1.GetOptions{})
	if !apierrors.IsNotFound(err) {
		return fmt.Errorf("wanted NotFound, got %v", err)
	}
	types.mutex.Lock()
	defer types.mutex.Unlock()
	for kind, count := range types.types {
		if !strings.HasPrefix(kind, protobuf) {
			return fmt.Errorf("%d answers of type %q", count, kind)
		}
	}
	return nil
}
