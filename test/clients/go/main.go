// Command clients does with a server what Go programs do, with the client libraries as they are. It prints one line of
// JSON for each check, and exits with 1 when one failed.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

const checkTimeout = 60 * time.Second

type check struct {
	name string
	run  func(ctx context.Context, config *rest.Config) error
}

var checks = []check{
	{"typed clients send protobuf", typedClients},
	{"protobuf and nothing else", protobufOnly},
	{"a list is read in pages", pagedLists},
	{"errors are told apart", statusErrors},
	{"informers with WatchList", watchListInformers},
	{"a watch goes on from a resource version", resumedWatch},
	{"leader election", leaderElection},
	{"dynamic client and custom resources", dynamicClient},
	{"typed server-side apply", typedApply},
	{"discovery and REST mapping", discoveryMapping},
	{"controller-runtime: manager, cache, owned objects, finalizers, status", managedController},
	{"controller-runtime: webhooks that default and refuse", managedWebhooks},
}

func main() {
	klog.LogToStderr(true)
	log.SetLogger(klog.Background())
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	config.QPS, config.Burst = 200, 400
	failed := false
	for _, one := range checks {
		ctx, cancel := context.WithTimeout(context.Background(), checkTimeout)
		err := one.run(ctx, rest.CopyConfig(config))
		cancel()
		outcome := map[string]string{"check": one.name}
		if err != nil {
			failed = true
			outcome["error"] = err.Error()
		}
		line, _ := json.Marshal(outcome)
		fmt.Println(string(line))
	}
	if failed {
		os.Exit(1)
	}
}

// want returns an error when the two texts of what was got and wanted differ.
func want(what string, got, wanted any) error {
	if g, w := fmt.Sprint(got), fmt.Sprint(wanted); g != w {
		return fmt.Errorf("%s: got %s, want %s", what, g, w)
	}
	return nil
}

// eventually waits until the condition holds; its last error tells why not.
func eventually(ctx context.Context, what string, condition func() error) error {
	var last error
	for ctx.Err() == nil {
		if last = condition(); last == nil {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Errorf("%s did not come true: %w", what, last)
}
