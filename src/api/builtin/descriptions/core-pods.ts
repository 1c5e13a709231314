/** Pods, and what they are made of: core/v1. In our own words; what each field does is Kubernetes' contract. */
export const corePods = `
Pod: Containers that run together on one node, share its network address and may share volumes.
  spec: How the pod is to run.
  status: What the node last reported of the pod. Written by the system alone.
PodTemplate: A template that pods can be made from.
  template: The pods made from this template.
PodTemplateSpec: What each pod made by a controller looks like.
  spec: How each pod is to run.
PodSpec: How a pod is to run.
  activeDeadlineSeconds: Seconds after its start when the system ends the pod and counts it as failed. Positive.
  affinity: Which nodes, and the neighbourhood of which other pods, it seeks or avoids.
  automountServiceAccountToken: Whether a token of its service account is mounted into the containers.
  containers: The containers that run in the pod: one at least. None can be added or removed later.
  dnsConfig: DNS servers, search domains and options on top of what dnsPolicy gives.
  dnsPolicy: Where name resolution comes from: ClusterFirst (default), ClusterFirstWithHostNet, Default (the node's) or None (dnsConfig alone).
  enableServiceLinks: Whether each Service of the namespace is told to the containers in environment variables. Default true.
  ephemeralContainers: Containers put into a running pod to look into it. Added through the subresource ephemeralcontainers alone.
  hostAliases: Lines for the containers' hosts file.
  hostIPC: Whether the pod uses the node's IPC namespace. Default false.
  hostNetwork: Whether the pod uses the node's network: its ports are ports of the node. Default false.
  hostPID: Whether the pod sees the processes of the node. Default false.
  hostUsers: Whether the pod uses the node's user namespace (default true); with false it has one of its own, and root in it is nobody outside.
  hostname: The host name inside the pod. Default: the name of the pod.
  hostnameOverride: A host name that stands for everything the pod would otherwise be called, in DNS form.
  imagePullSecrets: Secrets of the namespace with credentials for pulling the images.
  initContainers: Containers that run one after another, each to its end, before the others begin; with restartPolicy Always one runs beside them instead.
  nodeName: The node that runs the pod. Usually set by a scheduler; set by hand, it skips scheduling.
  nodeSelector: Labels that a node must have to run the pod.
  os: The operating system of the containers; fields that make no sense there must then be unset.
  overhead: Resources that the pod needs besides those of its containers; filled in from its RuntimeClass.
  preemptionPolicy: Whether it may push out pods of lower priority: PreemptLowerPriority (default) or Never.
  priority: The number behind priorityClassName; the higher, the more important. Filled in at admission.
  priorityClassName: The PriorityClass that tells how important the pod is; without one, the class that is marked as the default, or 0.
  readinessGates: Conditions that must be true, besides ready containers, for the pod to count as ready.
  resourceClaims: ResourceClaims that must be allocated before the pod may start; containers name those they use.
  resources: Requests and limits of the pod as a whole, for cpu, memory and hugepages.
  restartPolicy: When containers are started again: Always (default), OnFailure or Never.
  runtimeClassName: The RuntimeClass that runs the pod; it is not run where there is none of that name.
  schedulerName: Which scheduler places the pod. Default: default-scheduler.
  schedulingGates: Names that each hold back scheduling; they can be removed later, not added.
  schedulingGroup: The group of pods that it is scheduled with.
  securityContext: Security settings of the pod, and defaults for its containers.
  serviceAccount: Old name of serviceAccountName; kept equal to it.
  serviceAccountName: The ServiceAccount that the pod acts as.
  setHostnameAsFQDN: Whether the host name inside is the full name in DNS instead of its first part. Default false.
  shareProcessNamespace: Whether the containers see each other's processes. Not together with hostPID.
  subdomain: Makes the pod's full name <hostname>.<subdomain>.<namespace>.svc.<cluster domain>.
  terminationGracePeriodSeconds: Seconds between asking the containers to end and ending them. Default 30; 0 ends them at once.
  tolerations: Taints of nodes that the pod puts up with.
  topologySpreadConstraints: How the pods of one set are to be spread over parts of the cluster; all constraints must hold.
  volumes: Volumes that the containers may mount.
PodStatus: What is known of a pod.
  allocatedResources: Resources set aside on the node for the pod as a whole.
  conditions: Where the pod stands: PodScheduled, Initialized, ContainersReady, Ready and others.
  containerStatuses: One entry for each container.
  ephemeralContainerStatuses: One entry for each ephemeral container that has run.
  extendedResourceClaimStatus: The ResourceClaim made for extended resources that devices back.
  hostIP: The address of its node.
  hostIPs: The addresses of its node, one of each IP family; the first equals hostIP.
  initContainerStatuses: One entry for each init container, in their order.
  message: Why the pod is in this state, in words.
  nodeAllocatableResourceClaimStatuses: What claims take from the node's ordinary resources.
  nominatedNodeName: The node where room is being made for the pod by preemption.
  observedGeneration: The generation of the pod that this status tells of.
  phase: Pending, Running, Succeeded, Failed or Unknown: a summary, no state machine.
  podIP: The pod's address.
  podIPs: The pod's addresses, one of each IP family; the first equals podIP.
  qosClass: Guaranteed, Burstable or BestEffort, by its requests and limits.
  reason: Why the pod is in this state, in one word (Evicted).
  resize: How far a change of its resources is: Proposed, InProgress, Deferred or Infeasible.
  resourceClaimStatuses: The ResourceClaims made from its templates.
  resources: Requests and limits that are in effect for the pod as a whole.
  startTime: When the node took the pod up, before images were pulled.
PodCondition: One aspect of where a pod stands.
  lastProbeTime: When the condition was last looked at.
  observedGeneration: The generation of the pod that the condition tells of.
Container: One container of a pod.
  args: Arguments to the entry point; without them, those of the image. $(NAME) is replaced by the variable of that name.
  command: The entry point, run without a shell; without it, that of the image. $(NAME) is replaced by the variable of that name.
  env: Environment variables.
  envFrom: Sources whose keys all become environment variables; later ones win, env wins over all.
  image: The image to run.
  imagePullPolicy: When the image is pulled: Always, IfNotPresent or Never. Default: Always for the tag latest or none, else IfNotPresent.
  lifecycle: What is done after the container has started and before it ends.
  livenessProbe: How to find out whether it lives; when it fails, the container is started again.
  name: Its name, unique in the pod; a DNS label. Cannot be changed.
  ports: Ports that it listens on. For information: a port that is not named can be reached as well.
  readinessProbe: How to find out whether it can serve; while it fails, Services leave the pod out.
  resizePolicy: For each resource, whether a change of it restarts the container.
  resources: The resources that it asks for and may use.
  restartPolicy: When this container is started again; on an init container, Always lets it run beside the others.
  restartPolicyRules: What is done when it ends with certain codes; looked at before restartPolicy.
  securityContext: Security settings; they win over those of the pod.
  startupProbe: How to find out whether it has started; the other probes wait for it.
  stdin: Whether it gets a standard input. Default false.
  stdinOnce: Whether its standard input is closed after the first client that attached has gone. Default false.
  terminationMessagePath: The file in which it may leave a last message. Default /dev/termination-log.
  terminationMessagePolicy: Where the last message comes from: File (default), or FallbackToLogsOnError: the end of the log where there is no file.
  tty: Whether it gets a terminal; needs stdin. Default false.
  volumeDevices: Block devices that it sees.
  volumeMounts: Volumes that it sees in its file system.
  workingDir: Its working directory; without it, that of the image.
EphemeralContainer: A container put into a running pod to look into it. It has no guarantees of resources and is never started again.
  args: Arguments to the entry point; without them, those of the image. $(NAME) is replaced by the variable of that name.
  command: The entry point, run without a shell; without it, that of the image.
  env: Environment variables.
  envFrom: Sources whose keys all become environment variables; later ones win, env wins over all.
  image: The image to run.
  imagePullPolicy: When the image is pulled: Always, IfNotPresent or Never.
  lifecycle: Not allowed here.
  livenessProbe: Not allowed here.
  name: Its name, unique among all containers of the pod.
  ports: Not allowed here.
  readinessProbe: Not allowed here.
  resizePolicy: For each resource, whether a change of it restarts the container.
  resources: Not allowed here: it uses what the pod has.
  restartPolicy: Not allowed here.
  restartPolicyRules: Not allowed here.
  securityContext: Security settings; they win over those of the pod.
  startupProbe: Not allowed here.
  stdin: Whether it gets a standard input. Default false.
  stdinOnce: Whether its standard input is closed after the first client that attached has gone. Default false.
  targetContainerName: The container whose processes it sees; without it, those of the pod.
  terminationMessagePath: The file in which it may leave a last message. Default /dev/termination-log.
  terminationMessagePolicy: Where the last message comes from: File (default) or FallbackToLogsOnError.
  tty: Whether it gets a terminal; needs stdin. Default false.
  volumeDevices: Block devices that it sees.
  volumeMounts: Volumes that it sees in its file system; without subPath.
  workingDir: Its working directory; without it, that of the image.
ContainerPort: A port that a container listens on.
  containerPort: The port inside the pod, 1 to 65535.
  hostIP: The address of the node that the host port is bound to.
  hostPort: The port of the node that leads to it, 1 to 65535; with hostNetwork it must equal containerPort.
  name: A name that Services can refer to, unique in the pod.
  protocol: TCP (default), UDP or SCTP.
ContainerResizePolicy: Whether changing a resource restarts the container.
  resourceName: cpu or memory.
  restartPolicy: NotRequired (default) or RestartContainer.
ContainerRestartRule: What is done when a container ends in a certain way.
  action: Restart, or RestartAllContainers.
  exitCodes: The exit codes that the rule is for.
ContainerRestartRuleOnExitCodes: Exit codes that a rule is for.
  operator: In, or NotIn.
  values: Exit codes; 255 at most.
ContainerExtendedResourceRequest: Which request of a claim stands for an extended resource of a container.
  containerName: The container.
  requestName: The request in the claim.
  resourceName: The extended resource.
ContainerState: What a container is doing: one of the three.
  running: It runs.
  terminated: It has ended.
  waiting: It has not begun; without any of the three, this is meant.
ContainerStateRunning: A container that runs.
  startedAt: When it was last started.
ContainerStateTerminated: A container that has ended.
  containerID: Its id, as <type>://<id>.
  exitCode: The code it ended with.
  finishedAt: When it ended.
  message: What it left as its last message.
  reason: Why it ended, in one word (Completed, Error, OOMKilled).
  signal: The signal that ended it.
  startedAt: When it had started.
ContainerStateWaiting: A container that has not begun.
  message: Why, in words.
  reason: Why, in one word (ContainerCreating, CrashLoopBackOff, ImagePullBackOff).
ContainerStatus: What is known of one container.
  allocatedResources: Resources set aside for it on the node.
  allocatedResourcesStatus: The health of devices given to it.
  containerID: Its id, as <type>://<id>.
  image: The image that runs.
  imageID: The id of that image.
  lastState: How it ended the last time, when it was started again.
  name: Which container it is.
  ready: Whether its readiness probe passes.
  resources: Requests and limits that are in effect.
  restartCount: How many times it was started again.
  started: Whether its startup probe has passed.
  state: What it is doing now.
  stopSignal: The signal that ends it.
  user: The user that its first process began as.
  volumeMounts: What was mounted, and how.
ContainerUser: The user of a container's first process.
  linux: On Linux.
LinuxContainerUser: Linux user and groups of a container's first process.
  gid: Its group.
  supplementalGroups: Its other groups.
  uid: Its user.
Capabilities: Linux capabilities beside the runtime's defaults.
  add: Capabilities that are given.
  drop: Capabilities that are taken away; ALL takes all.
EnvVar: One environment variable.
  name: Its name.
  value: Its value; $(NAME) is replaced by an earlier variable, $$ stands for a dollar sign. Default: empty.
  valueFrom: Where its value comes from, instead of value.
EnvVarSource: Where the value of a variable comes from: one of these.
  configMapKeyRef: A key of a ConfigMap.
  fieldRef: A field of the pod: metadata.name, metadata.namespace, metadata.labels['key'], metadata.annotations['key'], spec.nodeName, spec.serviceAccountName, status.hostIP, status.podIP and the like.
  fileKeyRef: A key of a file that an init container has written.
  resourceFieldRef: A request or limit of a container.
  secretKeyRef: A key of a Secret.
EnvFromSource: All keys of a ConfigMap or a Secret as environment variables.
  configMapRef: The ConfigMap.
  prefix: What is put before each key.
  secretRef: The Secret.
ConfigMapEnvSource: A ConfigMap whose keys become variables.
  optional: Whether it may be missing.
SecretEnvSource: A Secret whose keys become variables.
  optional: Whether it may be missing.
ConfigMapKeySelector: One key of a ConfigMap.
  key: The key.
  optional: Whether the ConfigMap or the key may be missing.
SecretKeySelector: One key of a Secret.
  key: The key.
  optional: Whether the Secret or the key may be missing.
FileKeySelector: One key of a file of variables.
  key: The key in the file.
  optional: Whether the file or the key may be missing.
  path: The file, relative to the volume.
  volumeName: The volume that holds it.
ObjectFieldSelector: A field of an object.
  fieldPath: The field.
ResourceFieldSelector: A request or limit of a container.
  containerName: The container; needed in volumes.
  divisor: The unit that the value is told in. Default 1.
  resource: Which one: limits.cpu, requests.memory and the like.
ExecAction: A command run inside the container; exit code 0 is success. No shell is involved.
  command: The command and its arguments.
GRPCAction: A call of the gRPC health service.
  port: The port.
  service: The name of the service that is asked after. Default: empty.
HTTPGetAction: An HTTP GET; a code from 200 to 399 is success.
  host: The host to connect to. Default: the pod's address.
  httpHeaders: Headers of the request.
  path: The path to ask for.
  port: A number from 1 to 65535, or a port's name.
  scheme: HTTP (default) or HTTPS.
HTTPHeader: One header of a probe's request.
  name: Its name.
  value: Its value.
SleepAction: Waits.
  seconds: For so many seconds.
TCPSocketAction: Opens a connection; success when it opens.
  host: The host to connect to. Default: the pod's address.
  port: A number from 1 to 65535, or a port's name.
Lifecycle: What is done on a container's way.
  postStart: Done right after the start; when it fails, the container is ended.
  preStop: Done before the container is asked to end, within the grace period.
  stopSignal: The signal that asks it to end; needs spec.os.name.
LifecycleHandler: What is done: one of these.
  exec: Runs a command in the container.
  httpGet: Sends an HTTP request.
  sleep: Waits.
  tcpSocket: Never used for hooks; kept for old objects.
Probe: A check made again and again on a container.
  exec: Runs a command in the container.
  failureThreshold: How many failures in a row count as failed. Default 3.
  grpc: Calls the gRPC health service.
  httpGet: Sends an HTTP request.
  initialDelaySeconds: Seconds from the start of the container to the first check. Default 0.
  periodSeconds: Seconds between checks. Default 10.
  successThreshold: How many successes in a row count as success again. Default 1; must be 1 for liveness and startup.
  tcpSocket: Opens a connection.
  terminationGracePeriodSeconds: The grace period when the probe ends the container, instead of the pod's.
  timeoutSeconds: Seconds that a check may take. Default 1.
ResourceRequirements: Resources that are asked for, and bounds.
  claims: The pod's resource claims that this container uses.
  limits: The most that may be used.
  requests: The least that is needed; without it, the limits, where there are any.
ResourceClaim: A claim of the pod that a container uses.
  request: Which request of the claim; without it, all.
PodResourceClaim: A claim that the pod needs: by name, or made from a template.
  name: What containers call it.
  resourceClaimName: A ResourceClaim of the namespace.
  resourceClaimTemplateName: A ResourceClaimTemplate; a claim is made for this pod and goes with it.
PodResourceClaimStatus: The claim made from a template.
  name: What the pod calls it.
  resourceClaimName: The ResourceClaim that was made.
PodExtendedResourceClaimStatus: The claim made for extended resources.
  requestMappings: Which request stands for which container's resource.
  resourceClaimName: The ResourceClaim that was made.
NodeAllocatableResourceClaimStatus: What a claim takes from the node's ordinary resources.
  containers: The containers that use the claim.
  resourceClaimName: The claim.
  resources: How much of each resource.
ResourceStatus: The health of one sort of devices.
  name: The resource.
  resources: The devices.
ResourceHealth: The health of one device.
  health: Healthy, Unhealthy or Unknown.
  message: More about it, in words.
  resourceID: The device.
PodSecurityContext: Security settings of a pod. Those of a container win.
  appArmorProfile: The AppArmor profile of the containers.
  fsGroup: A group that all volumes which support it are owned by, and that all containers are in.
  fsGroupChangePolicy: When ownership of a volume is changed: Always (default) or OnRootMismatch.
  runAsGroup: The group of the containers' first process; without it, the runtime's.
  runAsNonRoot: Whether the containers must not run as root; checked at their start.
  runAsUser: The user of the containers' first process; without it, the image's.
  seLinuxChangePolicy: How volumes get their label: MountOption or Recursive.
  seLinuxOptions: The SELinux context of the containers.
  seccompProfile: The seccomp profile of the containers.
  supplementalGroups: More groups of the containers' first process.
  supplementalGroupsPolicy: Whether groups of the image count too: Merge (default) or Strict.
  sysctls: Namespaced kernel settings of the pod.
  windowsOptions: Settings on Windows.
SecurityContext: Security settings of a container. They win over the pod's.
  allowPrivilegeEscalation: Whether a process may gain more rights than its parent. Always true for privileged containers.
  appArmorProfile: The AppArmor profile.
  capabilities: Linux capabilities that are given and taken away.
  privileged: Whether its processes are as good as root on the node. Default false.
  procMount: How /proc is mounted: Default or Unmasked.
  readOnlyRootFilesystem: Whether its root file system is read-only. Default false.
  runAsGroup: The group of its first process.
  runAsNonRoot: Whether it must not run as root; checked at its start.
  runAsUser: The user of its first process; without it, the image's.
  seLinuxOptions: Its SELinux context.
  seccompProfile: Its seccomp profile.
  windowsOptions: Settings on Windows.
AppArmorProfile: An AppArmor profile.
  localhostProfile: The name of a profile loaded on the node; with type Localhost alone.
  type: Localhost, RuntimeDefault or Unconfined.
SeccompProfile: A seccomp profile.
  localhostProfile: A file below the kubelet's seccomp folder; with type Localhost alone.
  type: Localhost, RuntimeDefault or Unconfined.
SELinuxOptions: An SELinux context.
  level: Its level.
  role: Its role.
  type: Its type.
  user: Its user.
WindowsSecurityContextOptions: Security settings on Windows.
  gmsaCredentialSpec: The GMSA credential spec itself; filled in by a webhook.
  gmsaCredentialSpecName: The name of the GMSA credential spec.
  hostProcess: Whether it runs as a process of the host; the same for all containers of the pod, with hostNetwork.
  runAsUserName: The user of its first process; without it, the image's.
Sysctl: One kernel setting.
  name: Its name.
  value: Its value.
Affinity: What a pod seeks and avoids.
  nodeAffinity: Which nodes.
  podAffinity: Which pods it wants to be near to.
  podAntiAffinity: Which pods it wants to be away from.
NodeAffinity: Which nodes a pod seeks.
  preferredDuringSchedulingIgnoredDuringExecution: Terms with weights; the node with the greatest sum is preferred.
  requiredDuringSchedulingIgnoredDuringExecution: Terms of which one must match the node when the pod is scheduled.
PodAffinity: Which pods a pod wants to be near to.
  preferredDuringSchedulingIgnoredDuringExecution: Terms with weights; the node with the greatest sum is preferred.
  requiredDuringSchedulingIgnoredDuringExecution: Terms that must all hold when the pod is scheduled.
PodAntiAffinity: Which pods a pod wants to be away from.
  preferredDuringSchedulingIgnoredDuringExecution: Terms with weights; the node with the smallest sum is preferred.
  requiredDuringSchedulingIgnoredDuringExecution: Terms that must all hold when the pod is scheduled.
PodAffinityTerm: Pods, and what counts as one place.
  labelSelector: Which pods, by their labels.
  matchLabelKeys: Label keys whose values are taken from the incoming pod and must be equal.
  mismatchLabelKeys: Label keys whose values are taken from the incoming pod and must differ.
  namespaceSelector: Whose namespaces, by their labels, besides namespaces; an empty selector means all.
  namespaces: The namespaces of those pods. Without it and namespaceSelector: the pod's own.
  topologyKey: The node label whose equal values mean one place.
WeightedPodAffinityTerm: A term with its weight.
  podAffinityTerm: The term.
  weight: 1 to 100.
PreferredSchedulingTerm: A preference for nodes with its weight.
  preference: The nodes.
  weight: 1 to 100.
NodeSelector: Nodes; one of the terms must match.
  nodeSelectorTerms: The terms.
NodeSelectorTerm: Nodes; all requirements must match. An empty term matches none.
  matchExpressions: Requirements on labels.
  matchFields: Requirements on fields (metadata.name).
NodeSelectorRequirement: One requirement on a node.
  key: The label or field.
  operator: In, NotIn, Exists, DoesNotExist, Gt or Lt.
  values: The values; none for Exists and DoesNotExist, one whole number for Gt and Lt.
Toleration: Taints that a pod puts up with.
  effect: NoSchedule, PreferNoSchedule or NoExecute; empty means any.
  key: The taint's key; empty, with operator Exists, means every taint.
  operator: Exists, or Equal (default); Lt and Gt compare whole numbers where that is enabled.
  tolerationSeconds: For how many seconds a NoExecute taint is put up with; without it, for ever.
  value: The taint's value, for Equal.
TopologySpreadConstraint: How pods are spread over places.
  labelSelector: Which pods are counted.
  matchLabelKeys: Label keys whose values are taken from the incoming pod and must be equal.
  maxSkew: How much two places may differ in pods, at least 1.
  minDomains: How many places there must be for the least to be counted. Default 1.
  nodeAffinityPolicy: Whether nodes that its affinity excludes count: Honor (default) or Ignore.
  nodeTaintsPolicy: Whether nodes with taints it does not tolerate are left out: Honor, or Ignore (default).
  topologyKey: The node label whose equal values mean one place.
  whenUnsatisfiable: DoNotSchedule (default), or ScheduleAnyway: prefer what comes closest.
HostAlias: A line of the hosts file.
  hostnames: The names.
  ip: The address.
HostIP: An address of a node.
  ip: The address.
PodIP: An address of a pod.
  ip: The address.
PodDNSConfig: DNS settings of a pod.
  nameservers: Addresses of DNS servers.
  options: Options of the resolver.
  searches: Search domains.
PodDNSConfigOption: One option of the resolver.
  name: Its name.
  value: Its value.
PodOS: The operating system of a pod.
  name: linux or windows.
PodReadinessGate: A condition that readiness depends on.
  conditionType: The type of the condition.
PodSchedulingGate: A name that holds back scheduling.
  name: The name; unique in the pod.
PodSchedulingGroup: The group that a pod is scheduled with.
  podGroupName: A PodGroup of the namespace.
VolumeDevice: A block device in a container.
  devicePath: Where the container sees it.
  name: A volume of the pod, of a claim.
VolumeMount: A volume in a container's file system.
  mountPath: Where the container sees it; without a colon.
  mountPropagation: Whether mounts are passed on: None (default), HostToContainer or Bidirectional.
  name: A volume of the pod.
  readOnly: Whether it is mounted read-only. Default false.
  recursiveReadOnly: Whether mounts below it are read-only too: Disabled (default), IfPossible or Enabled.
  subPath: A path inside the volume that is mounted instead of its root.
  subPathExpr: The same with $(NAME) replaced by the container's variables; not together with subPath.
VolumeMountStatus: How a volume was mounted.
  mountPath: Where.
  name: Which volume.
  readOnly: Whether read-only.
  recursiveReadOnly: Whether mounts below it are read-only: Disabled or Enabled.
  volumeStatus: More, by the sort of the volume.
VolumeStatus: What is known of a mounted volume.
  image: Of an image volume.
ImageVolumeStatus: What is known of an image volume.
  imageRef: The digest that was resolved.
Binding: Ties a pod to a node; created as the subresource binding of the pod.
  target: The node.
`;
