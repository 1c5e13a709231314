package main

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

const finalizer = "clients.example.com/tidy"

func emptyGarden() *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(gardens.GroupVersion().WithKind("Garden"))
	return object
}

// gardener keeps a Deployment for each Garden and counts its replicas in the Garden's status.
type gardener struct{ client.Client }

func (g *gardener) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	owner := emptyGarden()
	if err := g.Get(ctx, request.NamespacedName, owner); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !owner.GetDeletionTimestamp().IsZero() {
		tidied := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "tidied-" + owner.GetName(), Namespace: owner.GetNamespace()}}
		if err := g.Create(ctx, tidied); client.IgnoreAlreadyExists(err) != nil {
			return ctrl.Result{}, err
		}
		controllerutil.RemoveFinalizer(owner, finalizer)
		return ctrl.Result{}, g.Update(ctx, owner)
	}
	if controllerutil.AddFinalizer(owner, finalizer) {
		return ctrl.Result{}, g.Update(ctx, owner)
	}
	beds, _, _ := unstructured.NestedInt64(owner.Object, "spec", "beds")
	wanted := webDeployment(owner.GetName())
	owned := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: owner.GetName(), Namespace: owner.GetNamespace()}}
	if _, err := controllerutil.CreateOrUpdate(ctx, g.Client, owned, func() error {
		if owned.CreationTimestamp.IsZero() {
			owned.Spec = wanted.Spec
		}
		replicas := int32(beds)
		owned.Spec.Replicas = &replicas
		return controllerutil.SetControllerReference(owner, owned, g.Scheme())
	}); err != nil {
		return ctrl.Result{}, err
	}
	before := owner.DeepCopy()
	if err := unstructured.SetNestedField(owner.Object, int64(owned.Status.Replicas), "status", "planted"); err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{}, g.Status().Patch(ctx, owner, client.MergeFrom(before))
}

func managedController(ctx context.Context, config *rest.Config) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	manager, err := ctrl.NewManager(config, ctrl.Options{
		Metrics:        server.Options{BindAddress: "0"},
		LeaderElection: true, LeaderElectionID: "gardener", LeaderElectionNamespace: "default",
		LeaderElectionReleaseOnCancel: true,
	})
	if err != nil {
		return err
	}
	err = manager.GetFieldIndexer().IndexField(ctx, &appsv1.Deployment{}, "owner", func(object client.Object) []string {
		if owner := metav1.GetControllerOf(object); owner != nil {
			return []string{owner.Name}
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = ctrl.NewControllerManagedBy(manager).For(emptyGarden()).Owns(&appsv1.Deployment{}).
		Complete(&gardener{manager.GetClient()})
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- manager.Start(ctx) }()

	direct, err := client.New(config, client.Options{})
	if err != nil {
		return err
	}
	tulip := emptyGarden()
	tulip.SetName("tulip")
	tulip.SetNamespace("default")
	_ = unstructured.SetNestedField(tulip.Object, int64(4), "spec", "beds")
	if err = direct.Create(ctx, tulip); err != nil {
		return err
	}
	key := types.NamespacedName{Namespace: "default", Name: "tulip"}
	owned := &appsv1.Deployment{}
	if err = eventually(ctx, "the deployment is made", func() error { return direct.Get(ctx, key, owned) }); err != nil {
		return err
	}
	owned.Status.Replicas = 4
	if err = direct.Status().Update(ctx, owned); err != nil {
		return err
	}
	if err = eventually(ctx, "the status is kept", func() error {
		if err := direct.Get(ctx, key, tulip); err != nil {
			return err
		}
		planted, _, _ := unstructured.NestedInt64(tulip.Object, "status", "planted")
		return want("planted", planted, 4)
	}); err != nil {
		return err
	}
	if err = direct.Delete(ctx, owned); err != nil {
		return err
	}
	if err = eventually(ctx, "a deleted deployment is made again", func() error {
		again := &appsv1.Deployment{}
		if err := direct.Get(ctx, key, again); err != nil {
			return err
		}
		if again.UID == owned.UID {
			return fmt.Errorf("it is the old one")
		}
		return nil
	}); err != nil {
		return err
	}
	indexed := &appsv1.DeploymentList{}
	if err = manager.GetClient().List(ctx, indexed, client.MatchingFields{"owner": "tulip"}); err != nil {
		return err
	}
	if err = direct.Delete(ctx, tulip); err != nil {
		return err
	}
	if err = eventually(ctx, "the garden is tidied, it and what it owned are gone", func() error {
		if err := direct.Get(ctx, types.NamespacedName{Namespace: "default", Name: "tidied-tulip"}, &corev1.ConfigMap{}); err != nil {
			return err
		}
		if err := direct.Get(ctx, key, emptyGarden()); client.IgnoreNotFound(err) != nil || err == nil {
			return fmt.Errorf("the garden: %v", err)
		}
		if err := direct.Get(ctx, key, &appsv1.Deployment{}); client.IgnoreNotFound(err) != nil || err == nil {
			return fmt.Errorf("the deployment: %v", err)
		}
		return nil
	}); err != nil {
		return err
	}
	stop()
	return <-ended
}
