/** autoscaling, policy, scheduling.k8s.io, node.k8s.io. */
export const autoscaling = `
Scale: How many replicas something has: the subresource scale.
  spec: How many there are to be.
  status: How many there are. Written by the system alone.
ScaleSpec: How many replicas there are to be.
  replicas: The number.
ScaleStatus: How many replicas there are.
  replicas: The number.
  selector: Labels of their pods, as a text.
HorizontalPodAutoscaler: Keeps the number of replicas of something fit for its load.
  spec: Of what, by which measures, in what bounds.
  status: What it found. Written by the system alone.
HorizontalPodAutoscalerSpec: What is scaled, and how.
  behavior: How fast it may go up and down.
  maxReplicas: The most replicas.
  metrics: The measures; the greatest number that one of them asks for counts. Default: 80 % of the requested cpu.
  minReplicas: The fewest replicas. Default 1.
  scaleTargetRef: What is scaled: something with the subresource scale.
  targetCPUUtilizationPercentage: The wanted use of cpu, in percent of what is requested.
HorizontalPodAutoscalerStatus: What an autoscaler found.
  conditions: Where it stands: AbleToScale, ScalingActive, ScalingLimited.
  currentCPUUtilizationPercentage: The present use of cpu, in percent of what is requested.
  currentMetrics: The measures as last read.
  currentReplicas: Replicas as last seen.
  desiredReplicas: Replicas as last worked out.
  lastScaleTime: When it last changed the number.
  observedGeneration: The generation that this status tells of.
HorizontalPodAutoscalerCondition: One aspect of where an autoscaler stands.
HorizontalPodAutoscalerBehavior: How fast the number may change.
  scaleDown: Downwards. Default: to the least within 15 seconds, looking back for 300.
  scaleUp: Upwards. Default: by four pods or the double in 15 seconds, whichever is more, without looking back.
HPAScalingRules: Bounds for one direction.
  policies: How much may change in what time.
  selectPolicy: Which of them counts: Max (default), Min, or Disabled: no change in this direction.
  stabilizationWindowSeconds: For how many seconds it looks back; the most careful number of that time counts. 0 to 3600.
  tolerance: How far a measure may be off before anything changes. Default 0.1.
HPAScalingPolicy: How much may change in what time.
  periodSeconds: The time in seconds, 1 to 1800.
  type: Pods or Percent.
  value: How much.
CrossVersionObjectReference: Something with the subresource scale.
MetricSpec: One measure.
  containerResource: A resource as one container of each pod uses it.
  external: A measure of something outside the cluster.
  object: A measure of one object.
  pods: A measure of each pod.
  resource: A resource as each pod uses it.
  type: ContainerResource, External, Object, Pods or Resource.
MetricStatus: One measure as last read.
  containerResource: A resource of one container of each pod.
  external: A measure of something outside.
  object: A measure of one object.
  pods: A measure of each pod.
  resource: A resource of each pod.
  type: ContainerResource, External, Object, Pods or Resource.
MetricIdentifier: Which measure.
  name: Its name.
  selector: Labels that bound it further.
MetricTarget: What a measure is to be.
  averageUtilization: The mean over the pods, in percent of what they request.
  averageValue: The mean over the pods.
  type: Utilization, Value or AverageValue.
  value: The value itself.
MetricValueStatus: What a measure is.
  averageUtilization: The mean over the pods, in percent of what they request.
  averageValue: The mean over the pods.
  value: The value itself.
ContainerResourceMetricSource: A resource as one container of each pod uses it.
  container: The container.
  name: The resource.
  target: What it is to be.
ContainerResourceMetricStatus: The same as last read.
  container: The container.
  current: What it is.
  name: The resource.
ExternalMetricSource: A measure of something outside.
  metric: Which.
  target: What it is to be.
ExternalMetricStatus: The same as last read.
  current: What it is.
  metric: Which.
ObjectMetricSource: A measure of one object.
  describedObject: The object.
  metric: Which.
  target: What it is to be.
ObjectMetricStatus: The same as last read.
  current: What it is.
  describedObject: The object.
  metric: Which.
PodsMetricSource: A measure of each pod; the mean counts.
  metric: Which.
  target: What it is to be.
PodsMetricStatus: The same as last read.
  current: What it is.
  metric: Which.
ResourceMetricSource: A resource as each pod uses it.
  name: The resource.
  target: What it is to be.
ResourceMetricStatus: The same as last read.
  current: What it is.
  name: The resource.
`;

export const policy = `
PodDisruptionBudget: How many of some pods must stay while others are evicted on purpose.
  spec: Which pods, and how many.
  status: What is allowed now. Written by the system alone.
PodDisruptionBudgetSpec: A bound for evictions.
  maxUnavailable: How many pods, or what percentage, may be missing; not together with minAvailable.
  minAvailable: How many pods, or what percentage, must be there.
  selector: The pods; an empty selector means all of the namespace.
  unhealthyPodEvictionPolicy: Whether pods that are not ready may always be evicted: IfHealthyBudget (default) or AlwaysAllow.
PodDisruptionBudgetStatus: What is allowed now.
  conditions: DisruptionAllowed.
  currentHealthy: Pods that are healthy.
  desiredHealthy: Pods that must be.
  disruptedPods: Pods whose eviction was granted and that are not gone yet.
  disruptionsAllowed: How many may be evicted now.
  expectedPods: Pods in all.
  observedGeneration: The generation that this status tells of.
Eviction: Asks for a pod to be deleted, if budgets allow it; the subresource eviction of the pod.
  deleteOptions: How it is to be deleted.
`;

export const scheduling = `
PriorityClass: A name for how important pods are.
  description: For whom it is meant.
  globalDefault: Whether pods without a class have it; one at most.
  preemptionPolicy: Whether its pods may push out others: PreemptLowerPriority (default) or Never. Cannot be changed.
  value: The number; the higher, the more important. Cannot be changed.
PodGroup: Pods that are scheduled together.
  spec: How.
  status: Where it stands. Written by the system alone.
PodGroupSpec: How pods are scheduled together.
  disruptionMode: Whether its pods may be disrupted one by one.
  podGroupTemplateRef: The template that it was made from.
  priority: The number behind priorityClassName.
  priorityClassName: The PriorityClass of the group.
  resourceClaims: Claims that the pods share.
  schedulingConstraints: Where they may run together.
  schedulingPolicy: Whether all must fit at once.
PodGroupStatus: Where a group stands.
  conditions: What was found.
  resourceClaimStatuses: Claims made from its templates.
PodGroupTemplate: Groups made for a workload.
  disruptionMode: Whether pods may be disrupted one by one.
  name: Its name in the workload.
  priority: The number behind priorityClassName.
  priorityClassName: The PriorityClass of the groups.
  resourceClaims: Claims that the pods share.
  schedulingConstraints: Where they may run together.
  schedulingPolicy: Whether all must fit at once.
PodGroupResourceClaim: A claim that the pods share.
  name: What they call it.
  resourceClaimName: A ResourceClaim of the namespace.
  resourceClaimTemplateName: A ResourceClaimTemplate of the namespace.
PodGroupResourceClaimStatus: A claim made from a template.
  name: What the pods call it.
  resourceClaimName: The claim.
PodGroupSchedulingConstraints: Where pods of a group may run.
  topology: Places that they must share.
PodGroupSchedulingPolicy: Whether all must fit: one of the two.
  basic: One by one.
  gang: So many at once.
BasicSchedulingPolicy: Pods are scheduled one by one.
GangSchedulingPolicy: Pods are scheduled when enough of them fit.
  minCount: How many.
PodGroupTemplateReference: Where a group's template stands.
  workload: In a Workload.
WorkloadPodGroupTemplateReference: A template in a Workload.
  podGroupTemplateName: The template.
  workloadName: The Workload.
TopologyConstraint: A place that pods must share.
  key: The node label whose equal values mean one place.
TypedLocalObjectReference: An object of the same namespace.
  apiGroup: Its API group; empty for the core group.
Workload: What belongs together in scheduling.
  spec: Its groups.
WorkloadSpec: Groups of pods that belong together.
  controllerRef: What makes the pods.
  podGroupTemplates: The groups.
`;

export const node = `
RuntimeClass: A way to run containers.
  handler: The handler on the nodes. Cannot be changed.
  overhead: What a pod needs besides its containers.
  scheduling: Which nodes have the handler.
Overhead: What a pod needs besides its containers.
  podFixed: Resources for each pod.
Scheduling: Which nodes can run pods of a class.
  nodeSelector: Labels that the nodes have; added to the pods' own.
  tolerations: Added to the pods' own.
`;
