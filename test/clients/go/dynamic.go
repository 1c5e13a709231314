package main

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
)

var (
	crds    = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	gardens = schema.GroupVersionResource{Group: "clients.example.com", Version: "v1", Resource: "gardens"}
)

type fields = map[string]any

func gardenDefinition() *unstructured.Unstructured {
	number := fields{"type": "integer"}
	return &unstructured.Unstructured{Object: fields{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": fields{"name": "gardens.clients.example.com"},
		"spec": fields{
			"group": gardens.Group, "scope": "Namespaced",
			"names": fields{"plural": "gardens", "singular": "garden", "kind": "Garden", "listKind": "GardenList"},
			"versions": []any{fields{
				"name": "v1", "served": true, "storage": true, "subresources": fields{"status": fields{}},
				"schema": fields{"openAPIV3Schema": fields{"type": "object", "properties": fields{
					"spec":   fields{"type": "object", "properties": fields{"beds": number}},
					"status": fields{"type": "object", "properties": fields{"planted": number}},
				}}},
			}},
		},
	}}
}

func garden(name string, beds int64) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: fields{
		"apiVersion": "clients.example.com/v1", "kind": "Garden",
		"metadata": fields{"name": name}, "spec": fields{"beds": beds},
	}}
}

func dynamicClient(ctx context.Context, config *rest.Config) error {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	if _, err = client.Resource(crds).Create(ctx, gardenDefinition(), metav1.CreateOptions{}); err != nil {
		return err
	}
	in := client.Resource(gardens).Namespace("default")
	if err = eventually(ctx, "the kind is served", func() error {
		_, err := in.List(ctx, metav1.ListOptions{})
		return err
	}); err != nil {
		return err
	}
	made, err := in.Create(ctx, garden("rose", 2), metav1.CreateOptions{})
	if err != nil {
		return err
	}
	factory := dynamicinformer.NewDynamicSharedInformerFactory(client, 0)
	lister := factory.ForResource(gardens).Lister()
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	if _, err = lister.ByNamespace("default").Get("rose"); err != nil {
		return err
	}
	_ = unstructured.SetNestedField(made.Object, int64(5), "spec", "beds")
	made, err = in.Update(ctx, made, metav1.UpdateOptions{})
	if err != nil {
		return err
	}
	_ = unstructured.SetNestedField(made.Object, int64(4), "status", "planted")
	if _, err = in.UpdateStatus(ctx, made, metav1.UpdateOptions{}); err != nil {
		return err
	}
	if _, err = in.Patch(ctx, "rose", types.JSONPatchType, []byte(`[{"op":"replace","path":"/spec/beds","value":6}]`), metav1.PatchOptions{}); err != nil {
		return err
	}
	applied, err := in.Apply(ctx, "lily", garden("lily", 1), metav1.ApplyOptions{FieldManager: "clients"})
	if err != nil {
		return err
	}
	if err = want("generation", applied.GetGeneration(), 1); err != nil {
		return err
	}
	if err = eventually(ctx, "the cache follows", func() error {
		seen, err := lister.ByNamespace("default").Get("rose")
		if err != nil {
			return err
		}
		content, _ := runtime.DefaultUnstructuredConverter.ToUnstructured(seen)
		beds, _, _ := unstructured.NestedInt64(content, "spec", "beds")
		planted, _, _ := unstructured.NestedInt64(content, "status", "planted")
		return want("beds, planted", fmt.Sprint(beds, planted), "6 4")
	}); err != nil {
		return err
	}
	return in.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{})
}

func discoveryMapping(ctx context.Context, config *rest.Config) error {
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return err
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(client))
	for kind, resource := range map[schema.GroupKind]string{
		{Group: "apps", Kind: "Deployment"}:              "deployments",
		{Group: "", Kind: "Endpoints"}:                   "endpoints",
		{Group: "networking.k8s.io", Kind: "Ingress"}:    "ingresses",
		{Group: gardens.Group, Kind: "Garden"}:           "gardens",
		{Group: "tenancy.kcp.io", Kind: "WorkspaceType"}: "workspacetypes",
	} {
		mapping, err := mapper.RESTMapping(kind)
		if err != nil {
			return err
		}
		if err = want(kind.String(), mapping.Resource.Resource, resource); err != nil {
			return err
		}
	}
	paths, err := client.OpenAPIV3().Paths()
	if err != nil {
		return err
	}
	for _, path := range []string{"api/v1", "apis/apps/v1", "apis/clients.example.com/v1"} {
		document, ok := paths[path]
		if !ok {
			return fmt.Errorf("no OpenAPI document for %s", path)
		}
		if _, err = document.Schema("application/json"); err != nil {
			return err
		}
		if _, err = document.Schema("application/com.github.proto-openapi.spec.v3@v1.0+protobuf"); err != nil {
			return err
		}
	}
	started := time.Now()
	if _, err = client.OpenAPISchema(); err != nil {
		return fmt.Errorf("openapi/v2 after %s: %w", time.Since(started), err)
	}
	_, err = client.ServerVersion()
	return err
}
