package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	applyappsv1 "k8s.io/client-go/applyconfigurations/apps/v1"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"
	applymetav1 "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

const protobuf = "application/vnd.kubernetes.protobuf"

// counting counts requests whose bodies are protobuf.
type counting struct {
	next http.RoundTripper
	sent atomic.Int64
}

func (c *counting) RoundTrip(request *http.Request) (*http.Response, error) {
	if strings.HasPrefix(request.Header.Get("Content-Type"), protobuf) {
		c.sent.Add(1)
	}
	return c.next.RoundTrip(request)
}

func webDeployment(name string) *appsv1.Deployment {
	replicas := int32(2)
	labels := map[string]string{"app": name}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{Containers: []corev1.Container{{
					Name: "web", Image: "nginx",
					Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
						corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("64Mi"),
					}},
				}}},
			},
		},
	}
}

func typedClients(ctx context.Context, config *rest.Config) error {
	var counter *counting
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		counter = &counting{next: next}
		return counter
	})
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "typed"}}
	if _, err = clients.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{}); err != nil {
		return err
	}
	deployments := clients.AppsV1().Deployments("typed")
	made, err := deployments.Create(ctx, webDeployment("web"), metav1.CreateOptions{})
	if err != nil {
		return err
	}
	if err = want("defaulted strategy", made.Spec.Strategy.Type, appsv1.RollingUpdateDeploymentStrategyType); err != nil {
		return err
	}
	cpu := made.Spec.Template.Spec.Containers[0].Resources.Requests[corev1.ResourceCPU]
	if err = want("cpu", cpu.String(), "100m"); err != nil {
		return err
	}
	watcher, err := deployments.Watch(ctx, metav1.ListOptions{ResourceVersion: made.ResourceVersion})
	if err != nil {
		return err
	}
	defer watcher.Stop()
	made.Annotations = map[string]string{"note": "updated"}
	updated, err := deployments.Update(ctx, made, metav1.UpdateOptions{})
	if err != nil {
		return err
	}
	event := <-watcher.ResultChan()
	seen, ok := event.Object.(*appsv1.Deployment)
	if !ok {
		return fmt.Errorf("the watch gave %T", event.Object)
	}
	if err = want("watched", string(event.Type)+" "+seen.ResourceVersion, "MODIFIED "+updated.ResourceVersion); err != nil {
		return err
	}
	patch := []byte(`{"spec":{"template":{"spec":{"containers":[{"name":"web","image":"nginx:2"},{"name":"side","image":"busybox"}]}}}}`)
	patched, err := deployments.Patch(ctx, "web", types.StrategicMergePatchType, patch, metav1.PatchOptions{})
	if err != nil {
		return err
	}
	if err = want("containers merged by name", len(patched.Spec.Template.Spec.Containers), 2); err != nil {
		return err
	}
	scale, err := deployments.GetScale(ctx, "web", metav1.GetOptions{})
	if err != nil {
		return err
	}
	scale.Spec.Replicas = 7
	if _, err = deployments.UpdateScale(ctx, "web", scale, metav1.UpdateOptions{}); err != nil {
		return err
	}
	patched, err = deployments.Get(ctx, "web", metav1.GetOptions{})
	if err != nil {
		return err
	}
	patched.Status.Replicas, patched.Status.ObservedGeneration = 7, patched.Generation
	withStatus, err := deployments.UpdateStatus(ctx, patched, metav1.UpdateOptions{})
	if err != nil {
		return err
	}
	if err = want("scaled", fmt.Sprint(*withStatus.Spec.Replicas, withStatus.Status.Replicas), "7 7"); err != nil {
		return err
	}
	robot := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "robot"}}
	if _, err = clients.CoreV1().ServiceAccounts("typed").Create(ctx, robot, metav1.CreateOptions{}); err != nil {
		return err
	}
	token, err := clients.CoreV1().ServiceAccounts("typed").CreateToken(ctx, "robot", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token.Status.Token}}
	reviewed, err := clients.AuthenticationV1().TokenReviews().Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	if err = want("token's user", reviewed.Status.User.Username, "system:serviceaccount:typed:robot"); err != nil {
		return err
	}
	foreground := metav1.DeletePropagationForeground
	if err = deployments.Delete(ctx, "web", metav1.DeleteOptions{PropagationPolicy: &foreground}); err != nil {
		return err
	}
	if err = eventually(ctx, "deletion", func() error {
		if _, err := deployments.Get(ctx, "web", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			return fmt.Errorf("still there: %v", err)
		}
		return nil
	}); err != nil {
		return err
	}
	if counter.sent.Load() < 7 {
		return fmt.Errorf("only %d bodies were protobuf", counter.sent.Load())
	}
	return nil
}

func pagedLists(ctx context.Context, config *rest.Config) error {
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	maps := clients.CoreV1().ConfigMaps("default")
	for i := range 25 {
		object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("page-%02d", i), Labels: map[string]string{"paged": "yes"}}}
		if _, err = maps.Create(ctx, object, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	names := map[string]bool{}
	options := metav1.ListOptions{LabelSelector: "paged=yes", Limit: 10}
	for pages := 1; ; pages++ {
		list, err := maps.List(ctx, options)
		if err != nil {
			return err
		}
		for _, item := range list.Items {
			names[item.Name] = true
		}
		if options.Continue = list.Continue; options.Continue == "" {
			if err = want("pages, names", fmt.Sprint(pages, len(names)), "3 25"); err != nil {
				return err
			}
			break
		}
	}
	return maps.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "paged=yes"})
}

func statusErrors(ctx context.Context, config *rest.Config) error {
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	maps := clients.CoreV1().ConfigMaps("default")
	_, err = maps.Get(ctx, "absent", metav1.GetOptions{})
	if !apierrors.IsNotFound(err) {
		return fmt.Errorf("not found: %w", err)
	}
	made, err := maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "made-"}}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	twin := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: made.Name}}
	if _, err = maps.Create(ctx, twin, metav1.CreateOptions{}); !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("already exists: %w", err)
	}
	made.Data = map[string]string{"a": "b"}
	if _, err = maps.Update(ctx, made, metav1.UpdateOptions{}); err != nil {
		return err
	}
	if _, err = maps.Update(ctx, made, metav1.UpdateOptions{}); !apierrors.IsConflict(err) {
		return fmt.Errorf("conflict: %w", err)
	}
	wrong := webDeployment("wrong")
	wrong.Spec.Selector.MatchLabels = map[string]string{"app": "other"}
	_, err = clients.AppsV1().Deployments("default").Create(ctx, wrong, metav1.CreateOptions{})
	var status apierrors.APIStatus
	if !apierrors.IsInvalid(err) || !errors.As(err, &status) || len(status.Status().Details.Causes) == 0 {
		return fmt.Errorf("invalid: %w", err)
	}
	stranger := rest.CopyConfig(config)
	stranger.Impersonate.UserName = "stranger"
	others, err := kubernetes.NewForConfig(stranger)
	if err != nil {
		return err
	}
	if _, err = others.CoreV1().Secrets("default").List(ctx, metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		return fmt.Errorf("forbidden: %w", err)
	}
	body, err := clients.Discovery().RESTClient().Get().AbsPath("/clusters/root/nowhere").Stream(ctx)
	if err == nil {
		defer body.Close()
		text, _ := io.ReadAll(body)
		return fmt.Errorf("nowhere answered: %s", text)
	}
	return nil
}

func typedApply(ctx context.Context, config *rest.Config) error {
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	deployments := clients.AppsV1().Deployments("default")
	labels := map[string]string{"app": "applied"}
	container := func(image string) *applycorev1.ContainerApplyConfiguration {
		return applycorev1.Container().WithName("web").WithImage(image)
	}
	intent := func(image string) *applyappsv1.DeploymentApplyConfiguration {
		return applyappsv1.Deployment("applied", "default").WithSpec(applyappsv1.DeploymentSpec().
			WithReplicas(3).
			WithSelector(applymetav1.LabelSelector().WithMatchLabels(labels)).
			WithTemplate(applycorev1.PodTemplateSpec().WithLabels(labels).
				WithSpec(applycorev1.PodSpec().WithContainers(container(image)))))
	}
	if _, err = deployments.Apply(ctx, intent("one"), metav1.ApplyOptions{FieldManager: "first"}); err != nil {
		return err
	}
	_, err = deployments.Apply(ctx, intent("two"), metav1.ApplyOptions{FieldManager: "second"})
	if !apierrors.IsConflict(err) {
		return fmt.Errorf("conflict: %w", err)
	}
	applied, err := deployments.Apply(ctx, intent("two"), metav1.ApplyOptions{FieldManager: "second", Force: true})
	if err != nil {
		return err
	}
	if err = want("image", applied.Spec.Template.Spec.Containers[0].Image, "two"); err != nil {
		return err
	}
	extracted, err := applyappsv1.ExtractDeployment(applied, "second")
	if err != nil {
		return err
	}
	if err = want("extracted replicas", *extracted.Spec.Replicas, 3); err != nil {
		return err
	}
	status := applyappsv1.Deployment("applied", "default").WithStatus(applyappsv1.DeploymentStatus().WithReadyReplicas(1).WithReplicas(1))
	withStatus, err := deployments.ApplyStatus(ctx, status, metav1.ApplyOptions{FieldManager: "watcher"})
	if err != nil {
		return err
	}
	if err = want("ready", withStatus.Status.ReadyReplicas, 1); err != nil {
		return err
	}
	return deployments.Delete(ctx, "applied", metav1.DeleteOptions{})
}
