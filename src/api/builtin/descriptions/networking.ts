/** networking.k8s.io, discovery.k8s.io, events.k8s.io, coordination.k8s.io. */
export const networking = `
Ingress: Leads HTTP traffic from outside to services, by host and path.
  spec: The rules.
  status: Where it can be reached. Written by the system alone.
IngressSpec: Which traffic goes where.
  defaultBackend: Where goes what no rule matches; needed where there are no rules.
  ingressClassName: The IngressClass that serves it.
  rules: Rules by host.
  tls: Certificates by host; on port 443.
IngressRule: Traffic for one host.
  host: The host's name; *. at the beginning stands for one label; empty means all.
  http: The paths.
HTTPIngressRuleValue: Paths of a host.
  paths: The paths; the longest that matches wins.
HTTPIngressPath: One path.
  backend: Where it leads.
  path: The path; begins with '/'.
  pathType: Exact, Prefix (whole elements of the path) or ImplementationSpecific.
IngressBackend: Where traffic goes: one of the two.
  resource: An object of the namespace.
  service: A service of the namespace.
IngressServiceBackend: A service.
  name: Its name.
  port: Its port.
ServiceBackendPort: A port of a service, by name or number.
  name: Its name.
  number: Its number.
IngressTLS: A certificate for some hosts.
  hosts: The hosts.
  secretName: The Secret with certificate and key, of type kubernetes.io/tls.
IngressStatus: Where an ingress can be reached.
  loadBalancer: Addresses of its load balancer.
IngressLoadBalancerStatus: Addresses of a load balancer.
  ingress: The addresses.
IngressLoadBalancerIngress: One address.
  hostname: Its name.
  ip: Its address.
  ports: Its ports.
IngressPortStatus: One port of a load balancer.
  error: What went wrong, in one word.
  port: The port.
  protocol: TCP, UDP or SCTP.
IngressClass: A sort of ingress, and who serves it.
  spec: Who serves it.
IngressClassSpec: Who serves a class of ingresses.
  controller: The controller (example.com/ingress). Cannot be changed.
  parameters: An object with more settings.
IngressClassParametersReference: An object with settings.
  apiGroup: Its group; empty for the core group.
  namespace: Its namespace, for scope Namespace.
  scope: Cluster (default) or Namespace.
NetworkPolicy: Which traffic some pods admit and send. What several policies admit adds up.
  spec: Which pods, and which traffic.
NetworkPolicySpec: Traffic of some pods.
  egress: What they may send; none means nothing, where Egress is among the types.
  ingress: What they admit; none means nothing.
  podSelector: The pods; an empty selector means all of the namespace.
  policyTypes: Ingress, Egress or both. Default: Ingress, and Egress where there are such rules.
NetworkPolicyIngressRule: Traffic that is admitted: from any of the peers to any of the ports.
  from: Whence; none means from anywhere.
  ports: To which ports; none means to all.
NetworkPolicyEgressRule: Traffic that may be sent: to any of the peers at any of the ports.
  ports: To which ports; none means to all.
  to: Whither; none means to anywhere.
NetworkPolicyPeer: One side of traffic.
  ipBlock: Addresses; alone.
  namespaceSelector: Pods of namespaces with these labels; an empty selector means all namespaces.
  podSelector: Pods with these labels; of the policy's namespace unless namespaceSelector is there.
NetworkPolicyPort: One port, or a range.
  endPort: The last port of a range that begins with port.
  port: Number or name; none means all.
  protocol: TCP (default), UDP or SCTP.
IPBlock: A range of addresses.
  cidr: The range.
  except: Ranges inside it that are left out.
IPAddress: An address that is in use. Its name is the address.
  spec: By whom.
IPAddressSpec: Who uses an address.
  parentRef: The object. Cannot be changed.
ParentReference: An object.
  group: Its group.
  namespace: Its namespace.
  resource: Its resource.
ServiceCIDR: A range from which services get addresses.
  spec: The range.
  status: Where it stands. Written by the system alone.
ServiceCIDRSpec: Ranges for services.
  cidrs: One range, or one of each IP family.
ServiceCIDRStatus: Where a range stands.
  conditions: Ready.
`;

export const discovery = `
EndpointSlice: Some of the addresses behind a service.
  addressType: IPv4, IPv6 or FQDN. Cannot be changed.
  endpoints: The addresses; 1000 at most.
  ports: The ports that they all have; 100 at most.
Endpoint: One of them, with one address or more.
  addresses: Its addresses; all mean the same. 100 at most.
  conditions: Where it stands.
  deprecatedTopology: The old form of nodeName and zone.
  hints: For whom it is best.
  hostname: Its host name.
  nodeName: Its node.
  targetRef: The object behind it.
  zone: Its zone.
EndpointConditions: Where an endpoint stands.
  ready: Whether it takes new connections; unknown counts as true.
  serving: Whether it can serve, even while it ends.
  terminating: Whether it is ending.
EndpointHints: For whom an endpoint is best.
  forNodes: For these nodes.
  forZones: For these zones.
EndpointPort: One port.
  appProtocol: The protocol above it.
  name: Its name; equal to the service port's.
  port: Its number; none means all.
  protocol: TCP (default), UDP or SCTP.
ForNode: A node.
  name: Its name.
ForZone: A zone.
  name: Its name.
`;

export const events = `
Event: Something that happened to an object. Kept for a while only.
  action: What was done.
  deprecatedCount: How often it happened, in the old form.
  deprecatedFirstTimestamp: When it was first written, in the old form.
  deprecatedLastTimestamp: When it was last written, in the old form.
  deprecatedSource: Who tells of it, in the old form.
  eventTime: When it was first seen.
  note: What happened, in words; 1 KiB at most.
  reason: What happened, in one word.
  regarding: What it happened to.
  related: Another object that plays a part.
  reportingController: Who tells of it.
  reportingInstance: Which instance of that.
  series: The run of equal events it stands for.
  type: Normal or Warning.
EventSeries: A run of equal events.
  count: How many so far.
  lastObservedTime: When the last was seen.
`;

export const coordination = `
Lease: Who holds something, and until when.
  spec: The holder.
LeaseSpec: A holder and its times.
  acquireTime: When the present holder took it.
  holderIdentity: Who holds it.
  leaseDurationSeconds: For how long after renewTime it holds.
  leaseTransitions: How often it changed hands.
  preferredHolder: To whom the holder should give it.
  renewTime: When it was last renewed.
  strategy: How the holder is chosen, where the server coordinates it.
LeaseCandidate: One that would hold a lease.
  spec: The candidate.
LeaseCandidateSpec: A candidate.
  binaryVersion: Its version.
  emulationVersion: The version whose behaviour it shows.
  leaseName: The lease. Cannot be changed.
  pingTime: When it was last asked whether it lives.
  renewTime: When it last answered.
  strategy: How it wants holders to be chosen.
`;
