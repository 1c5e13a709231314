"""Does with a server what Python programs do, with the kubernetes package as it is. One line of JSON for each check."""

import base64
import json
import sys
import threading
import traceback

from kubernetes import client, config, dynamic, utils, watch
from kubernetes.client.exceptions import ApiException

CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "boats.python.example.com"},
    "spec": {
        "group": "python.example.com",
        "scope": "Namespaced",
        "names": {"plural": "boats", "singular": "boat", "kind": "Boat", "listKind": "BoatList"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {"type": "object", "properties": {"crew": {"type": "integer"}}},
                            "status": {"type": "object", "properties": {"afloat": {"type": "boolean"}}},
                        },
                    }
                },
            }
        ],
    },
}


def boat(name, crew):
    return {
        "apiVersion": "python.example.com/v1",
        "kind": "Boat",
        "metadata": {"name": name},
        "spec": {"crew": crew},
    }


def config_maps():
    """create, get, list, patch (three kinds), replace, delete"""
    core = client.CoreV1Api()
    body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name="settings", labels={"of": "python"}), data={"a": "1"})
    made = core.create_namespaced_config_map("default", body)
    assert made.metadata.resource_version and made.metadata.creation_timestamp.tzinfo is not None
    assert core.read_namespaced_config_map("settings", "default").data == {"a": "1"}
    assert len(core.list_namespaced_config_map("default", label_selector="of=python").items) == 1
    patched = core.patch_namespaced_config_map("settings", "default", {"data": {"b": "2"}})
    assert patched.data == {"a": "1", "b": "2"}, patched.data
    patched = core.patch_namespaced_config_map(
        "settings", "default", [{"op": "remove", "path": "/data/a"}]
    )
    assert patched.data == {"b": "2"}, patched.data
    patched.data = {"c": "3"}
    replaced = core.replace_namespaced_config_map("settings", "default", patched)
    assert replaced.data == {"c": "3"}
    try:
        core.replace_namespaced_config_map("settings", "default", patched)
        raise AssertionError("an old resource version was taken")
    except ApiException as error:
        assert error.status == 409 and json.loads(error.body)["reason"] == "Conflict"
    core.delete_namespaced_config_map("settings", "default")
    try:
        core.read_namespaced_config_map("settings", "default")
        raise AssertionError("it is still there")
    except ApiException as error:
        assert error.status == 404


def secrets():
    """binary data"""
    core = client.CoreV1Api()
    body = client.V1Secret(metadata=client.V1ObjectMeta(generate_name="s-"), string_data={"key": "grün"})
    made = core.create_namespaced_secret("default", body)
    assert base64.b64decode(made.data["key"]).decode() == "grün"
    core.delete_namespaced_secret(made.metadata.name, "default")


def pages():
    """lists in pages"""
    core = client.CoreV1Api()
    for index in range(7):
        core.create_namespaced_config_map("default", {"metadata": {"name": f"page-{index}", "labels": {"paged": "yes"}}})
    names, token = [], None
    while True:
        page = core.list_namespaced_config_map("default", label_selector="paged=yes", limit=3, _continue=token)
        names += [item.metadata.name for item in page.items]
        token = page.metadata._continue
        if not token:
            break
    assert names == [f"page-{index}" for index in range(7)], names
    core.delete_collection_namespaced_config_map("default", label_selector="paged=yes")


def watches():
    """watch from a list's resource version"""
    core = client.CoreV1Api()
    start = core.list_namespaced_config_map("default").metadata.resource_version

    def write():
        writer = client.CoreV1Api(client.ApiClient())
        writer.create_namespaced_config_map("default", {"metadata": {"name": "seen"}})
        writer.patch_namespaced_config_map("seen", "default", {"data": {"x": "y"}})
        writer.delete_namespaced_config_map("seen", "default")

    threading.Timer(0.2, write).start()
    seen = []
    stream = watch.Watch()
    for event in stream.stream(core.list_namespaced_config_map, "default", resource_version=start, timeout_seconds=20):
        seen.append((event["type"], event["object"].metadata.name))
        if event["type"] == "DELETED":
            stream.stop()
    assert seen == [("ADDED", "seen"), ("MODIFIED", "seen"), ("DELETED", "seen")], seen


def resumed_watches():
    """a watch that the server ends goes on where it was, with nothing lost or told twice"""
    core = client.CoreV1Api()
    start = core.list_namespaced_config_map("default").metadata.resource_version
    stream, seen = watch.Watch(), []
    for index in range(3):
        core.create_namespaced_config_map("default", {"metadata": {"name": f"resumed-{index}"}})
        place = {"resource_version": stream.resource_version or start}
        for event in stream.stream(core.list_namespaced_config_map, "default", timeout_seconds=1, **place):
            seen.append((event["type"], event["object"].metadata.name))
    assert seen == [("ADDED", f"resumed-{index}") for index in range(3)], seen
    # Bookmarks move the place on; the client keeps them to itself.
    stream = watch.Watch()
    marked = {"resource_version": start, "allow_watch_bookmarks": True, "timeout_seconds": 1}
    names = [event["object"].metadata.name for event in stream.stream(core.list_namespaced_config_map, "default", **marked)]
    assert names == [f"resumed-{index}" for index in range(3)], names
    assert int(stream.resource_version) > int(start)


def deployments():
    """typed workloads, scale, status, create from a dictionary"""
    labels = {"app": "web"}
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": "nginx"}]}},
        },
    }
    utils.create_from_dict(client.ApiClient(), body)
    apps = client.AppsV1Api()
    patched = apps.patch_namespaced_deployment(
        "web", "default", {"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "busybox"}]}}}}
    )
    assert sorted(c.name for c in patched.spec.template.spec.containers) == ["side", "web"]
    apps.patch_namespaced_deployment_scale("web", "default", {"spec": {"replicas": 4}})
    status = apps.patch_namespaced_deployment_status("web", "default", {"status": {"replicas": 4}})
    assert (status.spec.replicas, status.status.replicas) == (4, 4)
    apps.delete_namespaced_deployment("web", "default", propagation_policy="Background")


def custom_resources():
    """custom resources: definition, create, watch, patch, status, delete"""
    client.ApiextensionsV1Api().create_custom_resource_definition(CRD)
    place = ("python.example.com", "v1", "default", "boats")
    boats = client.CustomObjectsApi()
    for _ in range(200):
        try:
            boats.list_namespaced_custom_object(*place)
            break
        except ApiException as error:
            assert error.status == 404
            threading.Event().wait(0.05)
    made = boats.create_namespaced_custom_object(*place, boat("dory", 1))
    patched = boats.patch_namespaced_custom_object(*place, "dory", {"spec": {"crew": 3}})
    assert patched["spec"]["crew"] == 3
    status = boats.patch_namespaced_custom_object_status(*place, "dory", {"status": {"afloat": True}})
    assert status["status"] == {"afloat": True} and status["metadata"]["generation"] == 2
    stream = watch.Watch()
    types = []
    for event in stream.stream(
        boats.list_namespaced_custom_object, *place,
        resource_version=made["metadata"]["resourceVersion"], timeout_seconds=20,
    ):
        types.append(event["type"])
        if len(types) == 2:
            stream.stop()
    assert types == ["MODIFIED", "MODIFIED"], types
    try:
        boats.create_namespaced_custom_object(*place, boat("wreck", "many"))
        raise AssertionError("a wrong type was taken")
    except ApiException as error:
        assert error.status == 422
    boats.delete_namespaced_custom_object(*place, "dory")


def dynamic_client():
    """dynamic client: discovery, server-side apply"""
    found = dynamic.DynamicClient(client.ApiClient()).resources.get(api_version="python.example.com/v1", kind="Boat")
    applied = found.server_side_apply(body=boat("skiff", 2), name="skiff", namespace="default", field_manager="python")
    assert applied.spec.crew == 2
    listed = found.get(namespace="default")
    assert [item.metadata.name for item in listed.items] == ["skiff"]
    found.patch(
        body={"spec": {"crew": 5}}, name="skiff", namespace="default", content_type="application/merge-patch+json"
    )
    watched = found.watch(namespace="default", resource_version=listed.metadata.resourceVersion, timeout=1)
    assert [(event["type"], event["object"].spec.crew) for event in watched] == [("MODIFIED", 5)]
    found.delete(name="skiff", namespace="default")


def main():
    config.load_kube_config()
    failed = False
    for check in (config_maps, secrets, pages, watches, resumed_watches, deployments, custom_resources, dynamic_client):
        outcome = {"check": check.__doc__}
        try:
            check()
        except Exception:
            failed = True
            outcome["error"] = traceback.format_exc()
        print(json.dumps(outcome), flush=True)
    sys.exit(1 if failed else 0)


main()
