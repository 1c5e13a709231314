/** Services, configuration, nodes, quotas, events and the rest of core/v1. */
export const coreCluster = `
Namespace: A room for the names of objects inside a workspace.
  spec: What holds its deletion back.
  status: Where it stands. Written by the system alone.
NamespaceSpec: What holds a namespace's deletion back.
  finalizers: Names that must be gone before the namespace is; kubernetes stands for its content.
NamespaceStatus: Where a namespace stands.
  conditions: What its deletion still waits for.
  phase: Active or Terminating.
NamespaceCondition: One aspect of where a namespace stands.
ConfigMap: Settings as keys with values, for containers and others.
  binaryData: Values that are not UTF-8, in base64. No key may be in data too.
  data: Values as text. Keys of letters, digits, '-', '_' and '.'.
  immutable: Whether the content is fixed for good; what says true cannot say anything else again.
Secret: Confidential values under keys, 1 MiB in all at most.
  data: Values in base64. Keys of letters, digits, '-', '_' and '.'.
  immutable: Whether the content is fixed for good; what says true cannot say anything else again.
  stringData: Values as text, merged into data by the server and never shown.
  type: What keys it must have: Opaque (default), kubernetes.io/tls, kubernetes.io/dockerconfigjson and others. Cannot be changed.
ServiceAccount: An identity for programs.
  automountServiceAccountToken: Whether pods that act as it get its token mounted; a pod's own setting wins.
  imagePullSecrets: Secrets for pulling images, given to pods that act as it.
  secrets: Secrets that its pods may use, where the annotation kubernetes.io/enforce-mountable-secrets says so.
Service: One name, address and set of ports for the pods that a selector picks.
  spec: Which pods, which ports, reachable from where.
  status: What the system found for it: addresses of load balancers.
ServiceSpec: How a service is reached and by whom it is served.
  allocateLoadBalancerNodePorts: Whether a LoadBalancer service gets node ports. Default true.
  clusterIP: Its address in the cluster: given out by the server, chosen, or None for no address of its own. Cannot be changed except with the type.
  clusterIPs: Its addresses, one of each IP family, two at most; the first equals clusterIP.
  externalIPs: Addresses outside that nodes also take traffic for; not managed by the system.
  externalName: The name that DNS answers with, for type ExternalName.
  externalTrafficPolicy: How nodes pass on traffic from outside: Cluster (default), or Local: to pods of the same node, with the client's address kept.
  healthCheckNodePort: The node port that tells load balancers whether the node has such pods; with Local alone.
  internalTrafficPolicy: The same for traffic from inside: Cluster (default) or Local.
  ipFamilies: IPv4, IPv6 or both, in order; the first cannot be changed.
  ipFamilyPolicy: SingleStack, PreferDualStack or RequireDualStack.
  loadBalancerClass: Which load balancer is to serve it; without one, the default of the platform. Cannot be changed.
  loadBalancerIP: The address wished for; deprecated, and heeded by few.
  loadBalancerSourceRanges: Addresses of clients that the load balancer admits, as CIDRs.
  ports: The ports that it offers.
  publishNotReadyAddresses: Whether pods that are not ready are given out as well. Default false.
  selector: Labels of the pods that serve it; without them, somebody else keeps its endpoints. Of no use for ExternalName.
  sessionAffinity: ClientIP: a client stays with its pod; None (default).
  sessionAffinityConfig: Details of that.
  trafficDistribution: Which endpoints are preferred: PreferSameZone, PreferSameNode (PreferClose is the old name of the former).
  type: ClusterIP (default), NodePort, LoadBalancer or ExternalName.
ServicePort: One port of a service.
  appProtocol: The protocol above it: an IANA name, kubernetes.io/h2c, kubernetes.io/ws, kubernetes.io/wss, or a name with a prefix.
  name: Its name; needed where there are several.
  nodePort: The port on every node; given out by the server unless it is chosen.
  port: The port of the service.
  protocol: TCP (default), UDP or SCTP.
  targetPort: The pods' port, by number or name. Default: port.
ServiceStatus: What the system found for a service.
  conditions: Where it stands.
  loadBalancer: Addresses of its load balancer.
LoadBalancerStatus: Addresses of a load balancer.
  ingress: The addresses; there may be several.
LoadBalancerIngress: One address of a load balancer.
  hostname: Its name.
  ip: Its address.
  ipMode: VIP: traffic arrives with the load balancer's address as its goal; Proxy: with a node's or a pod's.
  ports: Its ports.
PortStatus: One port of a load balancer.
  error: What went wrong, in one word.
  port: The port.
  protocol: TCP, UDP or SCTP.
SessionAffinityConfig: How clients stay with a pod.
  clientIP: By their address.
ClientIPConfig: Affinity by the client's address.
  timeoutSeconds: For how many seconds after the last request; 1 to 86400. Default 10800.
Endpoints: Addresses behind a service. Deprecated: EndpointSlices hold them.
  subsets: Sets of addresses with the ports they all have.
EndpointSubset: Addresses with common ports.
  addresses: Those that are ready.
  notReadyAddresses: Those that are not.
  ports: The ports.
EndpointAddress: One address.
  hostname: Its host name.
  ip: The address; not a loopback, link-local or multicast one.
  nodeName: The node it is on.
  targetRef: The object behind it.
EndpointPort: One port.
  appProtocol: The protocol above it.
  name: Its name.
  port: Its number.
  protocol: TCP (default), UDP or SCTP.
Event: Something that happened to an object. Kept for a while only.
  action: What was done.
  count: How often it happened.
  eventTime: When it was first seen.
  firstTimestamp: When it was first written, in the old form.
  involvedObject: What it happened to.
  lastTimestamp: When it was last written, in the old form.
  message: What happened, in words.
  reason: What happened, in one word.
  related: Another object that plays a part.
  reportingComponent: Who tells of it (kubernetes.io/kubelet).
  reportingInstance: Which instance of that.
  series: The run of equal events it stands for.
  source: Who tells of it, in the old form.
  type: Normal or Warning.
EventSeries: A run of equal events.
  count: How many so far.
  lastObservedTime: When the last was seen.
EventSource: Who tells of an event.
  component: The program.
  host: Its node.
LimitRange: Bounds and defaults for the resources of single objects in a namespace.
  spec: The bounds.
LimitRangeSpec: Bounds.
  limits: One entry for each sort of object.
LimitRangeItem: Bounds for one sort of object.
  default: Limits where none are given.
  defaultRequest: Requests where none are given.
  max: The most that is allowed.
  maxLimitRequestRatio: How many times its request a limit may be.
  min: The least that is allowed.
  type: Container, Pod or PersistentVolumeClaim.
ResourceQuota: Bounds for what all objects of a namespace use together.
  spec: The bounds.
  status: Bounds in force, and use.
ResourceQuotaSpec: Bounds of a namespace.
  hard: The bound of each resource: cpu, requests.memory, pods, count/deployments.apps and the like.
  scopeSelector: Which objects are counted, by expressions over scopes; all must match.
  scopes: Which objects are counted: Terminating, NotTerminating, BestEffort, NotBestEffort, PriorityClass and others; all must match.
ResourceQuotaStatus: Bounds in force, and use.
  hard: The bounds.
  used: What is used.
ScopeSelector: Which objects a quota counts.
  matchExpressions: Requirements on scopes.
ScopedResourceSelectorRequirement: One requirement on a scope.
  operator: In, NotIn, Exists or DoesNotExist.
  scopeName: The scope.
  values: The values, for In and NotIn.
ReplicationController: Keeps a number of equal pods. Deployments do this better.
  spec: How many, and of what.
  status: What there is. Written by the system alone.
ReplicationControllerSpec: What pods there are to be.
  minReadySeconds: Seconds that a pod must be ready to count as available. Default 0.
  replicas: How many. Default 1.
  selector: Labels of the pods that count. Default: those of the template.
  template: What each pod looks like.
ReplicationControllerStatus: What pods there are.
  availableReplicas: Those that have been ready for long enough.
  conditions: Where it stands.
  fullyLabeledReplicas: Those that have all labels of the template.
  observedGeneration: The generation that this status tells of.
  readyReplicas: Those that are ready.
  replicas: How many there are.
ReplicationControllerCondition: One aspect of where it stands.
Node: A machine that runs pods.
  spec: How it is to be used.
  status: What it last reported.
NodeSpec: How a node is to be used.
  configSource: No longer used.
  externalID: No longer used.
  podCIDR: The addresses of its pods.
  podCIDRs: The same, one range of each IP family; the first equals podCIDR.
  providerID: Its id at the cloud provider, as <provider>://<id>.
  taints: What keeps pods away from it.
  unschedulable: Whether no new pods are to be placed there.
NodeStatus: What a node last reported.
  addresses: Its addresses.
  allocatable: What is there for pods.
  capacity: What it has in all.
  conditions: Where it stands: Ready, MemoryPressure, DiskPressure, PIDPressure and others.
  config: No longer used.
  daemonEndpoints: Ports of its daemons.
  declaredFeatures: Features that the node says it has.
  features: What its container runtime can do.
  images: Images that lie there.
  nodeInfo: Its versions and ids.
  phase: No longer used.
  runtimeHandlers: Its runtime handlers.
  volumesAttached: Volumes attached to it.
  volumesInUse: Volumes that its pods use.
NodeCondition: One aspect of where a node stands.
  lastHeartbeatTime: When it was last told.
NodeAddress: An address of a node.
  address: The address.
  type: Hostname, InternalIP, ExternalIP, InternalDNS or ExternalDNS.
NodeConfigSource: No longer used.
  configMap: No longer used.
ConfigMapNodeConfigSource: No longer used.
  kubeletConfigKey: No longer used.
  namespace: No longer used.
  resourceVersion: No longer used.
  uid: No longer used.
NodeConfigStatus: No longer used.
  active: No longer used.
  assigned: No longer used.
  error: No longer used.
  lastKnownGood: No longer used.
NodeDaemonEndpoints: Ports of a node's daemons.
  kubeletEndpoint: The kubelet's.
DaemonEndpoint: A port of a daemon.
  Port: The port.
NodeFeatures: What a node's container runtime can do.
  supplementalGroupsPolicy: Whether it knows supplementalGroupsPolicy.
NodeRuntimeHandler: A runtime handler of a node.
  features: What it can do.
  name: Its name; empty for the default one.
NodeRuntimeHandlerFeatures: What a runtime handler can do.
  recursiveReadOnlyMounts: Mounts that are read-only all the way down.
  userNamespaces: User namespaces.
NodeSystemInfo: Versions and ids of a node.
  architecture: Its processor architecture.
  bootID: The id of its last boot.
  containerRuntimeVersion: Its container runtime, as <name>://<version>.
  kernelVersion: Its kernel.
  kubeProxyVersion: No longer used.
  kubeletVersion: Its kubelet.
  machineID: The id of its operating system's installation.
  operatingSystem: linux or windows.
  osImage: Its operating system, in words.
  swap: Its swap space.
  systemUUID: The id of its hardware.
NodeSwapStatus: Swap space of a node.
  capacity: Bytes.
ContainerImage: An image on a node.
  names: Its names.
  sizeBytes: Its size in bytes.
Taint: What keeps pods away from a node unless they tolerate it.
  effect: NoSchedule, PreferNoSchedule or NoExecute.
  key: Its key.
  timeAdded: When it was added.
  value: Its value.
TopologySelectorTerm: Parts of a cluster; all requirements must match.
  matchLabelExpressions: Requirements on labels.
TopologySelectorLabelRequirement: One requirement on a label.
  key: The label.
  values: Its values, one of which must match.
ComponentStatus: Health of a component of the control plane. Deprecated.
  conditions: What was found.
ComponentCondition: One finding.
  error: The error's code.
  message: What was found, in words.
LocalObjectReference: An object of the same namespace.
ObjectReference: An object.
  fieldPath: A part of it (spec.containers{name}).
  namespace: Its namespace.
  resourceVersion: The version of it that is meant.
  uid: Its uid.
`;
