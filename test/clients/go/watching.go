package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// watchLists counts watches that ask for the initial events, and lists.
type watchLists struct {
	next             http.RoundTripper
	streamed, listed atomic.Int64
}

func (w *watchLists) RoundTrip(request *http.Request) (*http.Response, error) {
	query := request.URL.Query()
	switch {
	case query.Get("sendInitialEvents") == "true":
		w.streamed.Add(1)
	case request.Method == http.MethodGet && query.Get("watch") == "" && strings.HasSuffix(request.URL.Path, "/configmaps"):
		w.listed.Add(1)
	}
	return w.next.RoundTrip(request)
}

func watchListInformers(ctx context.Context, config *rest.Config) error {
	var seen *watchLists
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		seen = &watchLists{next: next}
		return seen
	})
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	maps := clients.CoreV1().ConfigMaps("default")
	for i := range 10 {
		object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("informed-%d", i)}}
		if _, err = maps.Create(ctx, object, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	factory := informers.NewSharedInformerFactory(clients, 0)
	informer := factory.Core().V1().ConfigMaps()
	var added, updated, deleted atomic.Int64
	mine := func(object any) bool {
		if gone, ok := object.(cache.DeletedFinalStateUnknown); ok {
			object = gone.Obj
		}
		return strings.HasPrefix(object.(*corev1.ConfigMap).Name, "informed-")
	}
	if _, err = informer.Informer().AddEventHandler(cache.FilteringResourceEventHandler{
		FilterFunc: mine,
		Handler: cache.ResourceEventHandlerFuncs{
			AddFunc:    func(any) { added.Add(1) },
			UpdateFunc: func(any, any) { updated.Add(1) },
			DeleteFunc: func(any) { deleted.Add(1) },
		},
	}); err != nil {
		return err
	}
	factory.StartWithContext(ctx)
	for kind, synced := range factory.WaitForCacheSync(ctx.Done()) {
		if !synced {
			return fmt.Errorf("%v did not sync", kind)
		}
	}
	if seen.streamed.Load() == 0 || seen.listed.Load() != 0 {
		return fmt.Errorf("the informer fell back: %d streamed, %d listed", seen.streamed.Load(), seen.listed.Load())
	}
	if _, err = maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "informed-10"}}, metav1.CreateOptions{}); err != nil {
		return err
	}
	object, err := maps.Get(ctx, "informed-3", metav1.GetOptions{})
	if err != nil {
		return err
	}
	object.Data = map[string]string{"changed": "yes"}
	if _, err = maps.Update(ctx, object, metav1.UpdateOptions{}); err != nil {
		return err
	}
	if err = maps.Delete(ctx, "informed-4", metav1.DeleteOptions{}); err != nil {
		return err
	}
	return eventually(ctx, "events", func() error {
		if _, err := informer.Lister().ConfigMaps("default").Get("informed-4"); err == nil {
			return fmt.Errorf("informed-4 is still in the cache")
		}
		return want("added, updated, deleted", fmt.Sprint(added.Load(), updated.Load(), deleted.Load()), "11 1 1")
	})
}

func resumedWatch(ctx context.Context, config *rest.Config) error {
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	maps := clients.CoreV1().ConfigMaps("default")
	list, err := maps.List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for i := range 5 {
		object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("resumed-%d", i)}}
		if _, err = maps.Create(ctx, object, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	from := list.ResourceVersion
	for i := range 5 {
		watcher, err := maps.Watch(ctx, metav1.ListOptions{ResourceVersion: from})
		if err != nil {
			return err
		}
		event := <-watcher.ResultChan()
		watcher.Stop()
		object, ok := event.Object.(*corev1.ConfigMap)
		if !ok {
			return fmt.Errorf("event %s of %T", event.Type, event.Object)
		}
		if err = want("event", string(event.Type)+" "+object.Name, fmt.Sprintf("ADDED resumed-%d", i)); err != nil {
			return err
		}
		from = object.ResourceVersion
	}
	return nil
}

func leaderElection(ctx context.Context, config *rest.Config) error {
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	events := make(chan string, 10)
	run := func(ctx context.Context, name string) {
		lock := &resourcelock.LeaseLock{
			LeaseMeta:  metav1.ObjectMeta{Name: "leader", Namespace: "default"},
			Client:     clients.CoordinationV1(),
			LockConfig: resourcelock.ResourceLockConfig{Identity: name},
		}
		leaderelection.RunOrDie(ctx, leaderelection.LeaderElectionConfig{
			Lock: lock, LeaseDuration: 4 * time.Second, RenewDeadline: 3 * time.Second, RetryPeriod: 200 * time.Millisecond,
			ReleaseOnCancel: true, Name: name,
			Callbacks: leaderelection.LeaderCallbacks{
				OnStartedLeading: func(context.Context) { events <- name + " leads" },
				OnStoppedLeading: func() { events <- name + " stopped" },
			},
		})
	}
	first, stopFirst := context.WithCancel(ctx)
	defer stopFirst()
	go run(first, "a")
	next := func(wanted string) error {
		select {
		case got := <-events:
			return want("election", got, wanted)
		case <-ctx.Done():
			return fmt.Errorf("no %q in time", wanted)
		}
	}
	if err = next("a leads"); err != nil {
		return err
	}
	second, stopSecond := context.WithCancel(ctx)
	defer stopSecond()
	go run(second, "b")
	if err = eventually(ctx, "the first renews", func() error {
		lease, err := clients.CoordinationV1().Leases("default").Get(ctx, "leader", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if !lease.Spec.RenewTime.After(lease.Spec.AcquireTime.Time) {
			return fmt.Errorf("renewed at %s", lease.Spec.RenewTime)
		}
		return nil
	}); err != nil {
		return err
	}
	stopFirst()
	if err = next("a stopped"); err != nil {
		return err
	}
	if err = next("b leads"); err != nil {
		return err
	}
	lease, err := clients.CoordinationV1().Leases("default").Get(ctx, "leader", metav1.GetOptions{})
	if err != nil {
		return err
	}
	return want("holder and transitions", fmt.Sprint(*lease.Spec.HolderIdentity, " ", *lease.Spec.LeaseTransitions), "b 1")
}
