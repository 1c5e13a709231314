/** apps/v1 and batch/v1. */
export const apps = `
Deployment: Keeps a number of interchangeable pods, and brings changes to them step by step.
  spec: How many pods, of what, and how changes come.
  status: What there is. Written by the system alone.
DeploymentSpec: What a deployment is to do.
  minReadySeconds: Seconds that a pod must be ready to count as available. Default 0.
  paused: Whether changes of the template wait.
  progressDeadlineSeconds: Seconds without progress after which it counts as stuck. Default 600.
  replicas: How many pods. Default 1.
  revisionHistoryLimit: How many old ReplicaSets are kept to go back to. Default 10.
  selector: Labels of its pods; the template must have them. Cannot be changed.
  strategy: How old pods give way to new ones.
  template: What each pod looks like; restartPolicy must be Always.
DeploymentStatus: What a deployment has.
  availableReplicas: Pods that have been ready for long enough.
  collisionCount: How often a name of a ReplicaSet was taken.
  conditions: Where it stands: Available, Progressing, ReplicaFailure.
  observedGeneration: The generation that this status tells of.
  readyReplicas: Pods that are ready.
  replicas: Pods in all, those that end left out.
  terminatingReplicas: Pods that are ending.
  unavailableReplicas: Pods still missing to the full number.
  updatedReplicas: Pods of the present template.
DeploymentCondition: One aspect of where a deployment stands.
  lastUpdateTime: When it was last written.
DeploymentStrategy: How old pods give way to new ones.
  rollingUpdate: Details of RollingUpdate.
  type: RollingUpdate (default), or Recreate: all old ones go first.
RollingUpdateDeployment: How fast a deployment changes.
  maxSurge: How many pods, or what percentage, there may be too many. Default 25%.
  maxUnavailable: How many pods, or what percentage, may be missing. Default 25%. Not 0 together with maxSurge.
ReplicaSet: Keeps a number of equal pods. Mostly made by deployments.
  spec: How many pods, and of what.
  status: What there is. Written by the system alone.
ReplicaSetSpec: What pods there are to be.
  minReadySeconds: Seconds that a pod must be ready to count as available. Default 0.
  replicas: How many pods. Default 1.
  selector: Labels of its pods; the template must have them. Cannot be changed.
  template: What each pod looks like.
ReplicaSetStatus: What pods there are.
  availableReplicas: Pods that have been ready for long enough.
  conditions: Where it stands.
  fullyLabeledReplicas: Pods that have all labels of the template.
  observedGeneration: The generation that this status tells of.
  readyReplicas: Pods that are ready.
  replicas: Pods in all, those that end left out.
  terminatingReplicas: Pods that are ending.
ReplicaSetCondition: One aspect of where a replica set stands.
StatefulSet: Keeps pods with lasting names and storage, each in its place.
  spec: How many pods, of what, with what storage.
  status: What there is. Written by the system alone.
StatefulSetSpec: What a stateful set is to do. After it is made only a few fields may change.
  minReadySeconds: Seconds that a pod must be ready to count as available. Default 0.
  ordinals: How its pods are numbered.
  persistentVolumeClaimRetentionPolicy: What becomes of claims that are no longer needed.
  podManagementPolicy: OrderedReady (default): one after another; Parallel: all at once. Cannot be changed.
  replicas: How many pods. Default 1.
  revisionHistoryLimit: How many old revisions are kept. Default 10.
  selector: Labels of its pods; the template must have them. Cannot be changed.
  serviceName: The service that names its pods in DNS. Cannot be changed.
  template: What each pod looks like; each is called <name>-<number>.
  updateStrategy: How changes of the template come to the pods.
  volumeClaimTemplates: Claims that each pod has of its own. Cannot be changed.
StatefulSetStatus: What a stateful set has.
  availableReplicas: Pods that have been ready for long enough.
  collisionCount: How often a name of a revision was taken.
  conditions: Where it stands.
  currentReplicas: Pods of currentRevision.
  currentRevision: The revision that changes started from.
  observedGeneration: The generation that this status tells of.
  readyReplicas: Pods that are ready.
  replicas: Pods in all.
  updateRevision: The revision that changes lead to.
  updatedReplicas: Pods of updateRevision.
StatefulSetCondition: One aspect of where a stateful set stands.
StatefulSetOrdinals: How pods are numbered.
  start: The first number. Default 0.
StatefulSetPersistentVolumeClaimRetentionPolicy: What becomes of claims: Retain (default) or Delete.
  whenDeleted: When the stateful set is deleted.
  whenScaled: When it has fewer pods.
StatefulSetUpdateStrategy: How changes come to the pods.
  rollingUpdate: Details of RollingUpdate.
  type: RollingUpdate (default), or OnDelete: when a pod is deleted by hand.
RollingUpdateStatefulSetStrategy: How far and how fast a stateful set changes.
  maxUnavailable: How many pods, or what percentage, may be missing. Default 1.
  partition: Pods with a lower number are left as they are. Default 0.
DaemonSet: Runs a pod on every node, or on every one of some.
  spec: What pods, where, and how changes come.
  status: What there is. Written by the system alone.
DaemonSetSpec: What a daemon set is to do.
  minReadySeconds: Seconds that a pod must be ready to count as available. Default 0.
  revisionHistoryLimit: How many old revisions are kept. Default 10.
  selector: Labels of its pods; the template must have them. Cannot be changed.
  template: What each pod looks like; its node selector tells where.
  updateStrategy: How changes of the template come to the pods.
DaemonSetStatus: What a daemon set has.
  collisionCount: How often a name of a revision was taken.
  conditions: Where it stands.
  currentNumberScheduled: Nodes that should run a pod and do.
  desiredNumberScheduled: Nodes that should run a pod.
  numberAvailable: Nodes with a pod that has been ready for long enough.
  numberMisscheduled: Nodes that run a pod and should not.
  numberReady: Nodes with a pod that is ready.
  numberUnavailable: Nodes that should run a pod and have none that is available.
  observedGeneration: The generation that this status tells of.
  updatedNumberScheduled: Nodes with a pod of the present template.
DaemonSetCondition: One aspect of where a daemon set stands.
DaemonSetUpdateStrategy: How changes come to the pods.
  rollingUpdate: Details of RollingUpdate.
  type: RollingUpdate (default), or OnDelete: when a pod is deleted by hand.
RollingUpdateDaemonSet: How fast a daemon set changes.
  maxSurge: How many nodes, or what percentage, may have a new pod beside the old. Default 0.
  maxUnavailable: How many nodes, or what percentage, may be without. Default 1. Not 0 together with maxSurge.
ControllerRevision: A state that a controller can go back to.
  data: The state. Cannot be changed.
  revision: Its number.
`;

export const batch = `
Job: Runs pods until so many have succeeded.
  spec: What runs, how often, and when it is given up.
  status: What has run. Written by the system alone.
JobSpec: What a job is to do.
  activeDeadlineSeconds: Seconds after its start when it is ended and counts as failed.
  backoffLimit: How many failures before it counts as failed. Default 6.
  backoffLimitPerIndex: The same for each index; with completionMode Indexed and restartPolicy Never.
  completionMode: NonIndexed (default), or Indexed: each of the completions has a number of its own.
  completions: How many pods must succeed.
  managedBy: Who runs the job, if not the job controller. Cannot be changed.
  manualSelector: Whether selector and labels are chosen by hand. Default false.
  maxFailedIndexes: How many indexes may fail before the whole does.
  parallelism: How many pods run at once at most. Default 1.
  podFailurePolicy: What failures of pods lead to, by exit code and condition; needs restartPolicy Never.
  podReplacementPolicy: When a pod is replaced: TerminatingOrFailed, or Failed: when it has ended for good.
  selector: Labels of its pods; set by the server.
  successPolicy: When an indexed job counts as done before all have succeeded.
  suspend: Whether no pods run for now. Default false.
  template: What each pod looks like; restartPolicy must be Never or OnFailure.
  ttlSecondsAfterFinished: Seconds after its end when it is deleted; without it, never.
JobStatus: What has run.
  active: Pods that are pending or running, those that end left out.
  completedIndexes: Indexes that succeeded, as ranges (1,3-5).
  completionTime: When it succeeded.
  conditions: Where it stands: Complete, Failed, Suspended, SuccessCriteriaMet, FailureTarget.
  failed: Pods that failed.
  failedIndexes: Indexes that failed, as ranges.
  ready: Pods that are ready.
  startTime: When it was begun, or begun again.
  succeeded: Pods that succeeded.
  terminating: Pods that are ending.
  uncountedTerminatedPods: Pods that ended and are not in the counts yet.
JobCondition: One aspect of where a job stands.
  lastProbeTime: When it was last looked at.
JobTemplateSpec: What each job made looks like.
  spec: What the job is to do.
UncountedTerminatedPods: Pods that are not counted yet, by uid.
  failed: Those that failed.
  succeeded: Those that succeeded.
PodFailurePolicy: What failures of pods lead to.
  rules: Rules in order; the first that matches decides. 20 at most.
PodFailurePolicyRule: One rule.
  action: FailJob, FailIndex, Ignore or Count.
  onExitCodes: Exit codes that it is for.
  onPodConditions: Conditions of pods that it is for.
PodFailurePolicyOnExitCodesRequirement: Exit codes.
  containerName: The container; without it, any.
  operator: In or NotIn.
  values: The codes, in order; not 0 with In.
PodFailurePolicyOnPodConditionsPattern: A condition of a pod.
  status: Its status. Default True.
  type: Its type.
SuccessPolicy: When an indexed job counts as done.
  rules: Rules, one of which must hold. 20 at most.
SuccessPolicyRule: One rule.
  succeededCount: How many indexes must have succeeded.
  succeededIndexes: Which, as ranges.
CronJob: Makes jobs by a schedule.
  spec: When, and what job.
  status: What was made. Written by the system alone.
CronJobSpec: When jobs are made, and which.
  concurrencyPolicy: Whether jobs may overlap: Allow (default), Forbid: the new one is left out; Replace: the old one is ended.
  failedJobsHistoryLimit: How many failed jobs are kept. Default 1.
  jobTemplate: The job.
  schedule: When, in the form of cron: minute, hour, day, month, weekday.
  startingDeadlineSeconds: How late a job may begin; later it is left out.
  successfulJobsHistoryLimit: How many jobs that succeeded are kept. Default 3.
  suspend: Whether no jobs are made for now. Default false.
  timeZone: The zone of the schedule (Europe/Berlin). Default: the controller's.
CronJobStatus: What was made.
  active: Jobs that run.
  lastScheduleTime: When a job was last made.
  lastSuccessfulTime: When one last succeeded.
`;
