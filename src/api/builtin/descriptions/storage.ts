/** storage.k8s.io, resource.k8s.io, storagemigration.k8s.io, internal.apiserver.k8s.io. */
export const storage = `
StorageClass: A sort of storage, and how volumes of it are made.
  allowVolumeExpansion: Whether claims may grow.
  allowedTopologies: Where volumes may be made.
  mountOptions: Mount options of the volumes; not checked.
  parameters: What the provisioner wants to know. Cannot be changed.
  provisioner: Who makes the volumes. Cannot be changed.
  reclaimPolicy: What becomes of volumes when their claim is gone: Delete (default) or Retain. Cannot be changed.
  volumeBindingMode: Immediate (default), or WaitForFirstConsumer: when a pod needs it. Cannot be changed.
VolumeAttributesClass: A sort of changeable attributes of volumes.
  driverName: The CSI driver. Cannot be changed.
  parameters: The attributes. Cannot be changed.
VolumeAttachment: A volume that is to be attached to a node.
  spec: Which, where. Cannot be changed.
  status: Whether it is. Written by the attacher.
VolumeAttachmentSpec: Which volume goes where.
  attacher: Who attaches it.
  nodeName: The node.
  source: The volume.
VolumeAttachmentSource: A volume: one of the two.
  inlineVolumeSpec: The volume itself.
  persistentVolumeName: A PersistentVolume.
VolumeAttachmentStatus: Whether a volume is attached.
  attachError: What went wrong with attaching.
  attached: Whether it is.
  attachmentMetadata: What the attacher tells those who mount it.
  detachError: What went wrong with detaching.
VolumeError: An error with a volume.
  errorCode: The driver's code.
  message: What went wrong; no secrets.
  time: When.
VolumeNodeResources: How much a node can hold.
  count: Volumes at once; none means no bound.
CSIDriver: A CSI driver and what it needs. Its name is the driver's.
  spec: What it needs.
CSIDriverSpec: What a CSI driver needs.
  attachRequired: Whether volumes must be attached. Default true.
  fsGroupPolicy: Whether it supports changing ownership: ReadWriteOnceWithFSType (default), File or None.
  nodeAllocatableUpdatePeriodSeconds: How often nodes tell anew how much they can hold; at least 10.
  podInfoOnMount: Whether it is told of the pod. Default false.
  preventPodSchedulingIfMissing: Whether pods stay away from nodes without the driver.
  requiresRepublish: Whether it is called again now and then for mounted volumes. Default false.
  seLinuxMount: Whether it can mount with a label. Default false.
  serviceAccountTokenInSecrets: Whether tokens are handed over with the secrets.
  storageCapacity: Whether it tells how much room there is. Default false.
  tokenRequests: Tokens of the pod's service account that it gets.
  volumeLifecycleModes: Persistent (default), Ephemeral or both.
TokenRequest: A token that a driver gets.
  audience: Whom it is for.
  expirationSeconds: How long it is good.
CSINode: CSI drivers of a node. Its name is the node's.
  spec: The drivers.
CSINodeSpec: CSI drivers of a node.
  drivers: One entry each.
CSINodeDriver: A CSI driver on a node.
  allocatable: How much it can hold there.
  name: The driver.
  nodeID: The node, as the driver calls it.
  topologyKeys: Node labels that tell where volumes can be reached.
CSIStorageCapacity: How much room there is for volumes of a class in a place.
  capacity: The room.
  maximumVolumeSize: The largest single volume.
  nodeTopology: The place, by node labels. Cannot be changed.
  storageClassName: The class. Cannot be changed.
`;

export const resource = `
DeviceClass: A sort of devices.
  spec: Which.
DeviceClassSpec: A sort of devices.
  config: Settings for its devices.
  extendedResourceName: The extended resource that stands for it.
  selectors: All must match a device.
DeviceClassConfiguration: Settings for devices.
  opaque: For a driver to understand.
DeviceSelector: Which devices: one form.
  cel: By an expression.
CELDeviceSelector: Devices by an expression.
  expression: CEL; true for devices that match. It sees device.
ResourceClaim: Devices that pods ask for.
  spec: What is asked for. Cannot be changed.
  status: What was found. Written by the system and drivers.
ResourceClaimSpec: What a claim asks for.
  devices: The devices.
ResourceClaimStatus: What was found for a claim.
  allocation: The devices given; none until then.
  devices: What drivers tell of them.
  reservedFor: Who may use them now; 256 at most.
ResourceClaimConsumerReference: Who may use a claim.
  apiGroup: Its group; empty for the core group.
  resource: Its resource (pods).
  uid: Its uid.
ResourceClaimTemplate: Claims made for pods.
  spec: What each looks like. Cannot be changed.
ResourceClaimTemplateSpec: What a claim made for a pod looks like.
  spec: What it asks for.
DeviceClaim: Devices that belong together.
  config: Settings for them.
  constraints: What must hold among them.
  requests: Single requests; all must be met.
DeviceClaimConfiguration: Settings for devices of a claim.
  opaque: For a driver to understand.
  requests: For which requests; none means all.
DeviceConstraint: What must hold among devices.
  distinctAttribute: An attribute in which all must differ.
  matchAttribute: An attribute in which all must be equal.
  requests: For which requests; none means all.
DeviceRequest: One request: exactly, or the first that can be met.
  adminAccess: Whether devices in use are given too, for looking after them.
  allocationMode: ExactCount (default) or All.
  capacity: What is needed of devices that are shared.
  count: How many. Default 1.
  deviceClassName: The DeviceClass.
  exactly: What is needed.
  firstAvailable: What is needed, the best first.
  name: Its name in the claim.
  selectors: All must match a device.
  tolerations: Taints of devices that are put up with.
DeviceSubRequest: One way to meet a request.
  allocationMode: ExactCount (default) or All.
  capacity: What is needed of devices that are shared.
  count: How many. Default 1.
  deviceClassName: The DeviceClass.
  name: Its name in the request.
  selectors: All must match a device.
  tolerations: Taints of devices that are put up with.
ExactDeviceRequest: What is needed.
  adminAccess: Whether devices in use are given too, for looking after them.
  allocationMode: ExactCount (default) or All.
  capacity: What is needed of devices that are shared.
  count: How many. Default 1.
  deviceClassName: The DeviceClass.
  selectors: All must match a device.
  tolerations: Taints of devices that are put up with.
CapacityRequirements: What is needed of a shared device.
  requests: How much of each capacity.
AllocationResult: Devices given to a claim.
  allocationTimestamp: When.
  devices: The devices.
  nodeSelector: From which nodes they can be reached; none means all.
DeviceAllocationResult: Devices given to a claim.
  config: Settings, of the class and of the claim.
  results: One entry for each device.
DeviceAllocationConfiguration: Settings for given devices.
  opaque: For a driver to understand.
  requests: For which requests; none means all.
  source: Whence: FromClass or FromClaim.
DeviceRequestAllocationResult: A device given to a request.
  adminAccess: Whether for looking after it.
  bindingConditions: Conditions that must be true before the pod is bound.
  bindingFailureConditions: Conditions of which none may be true.
  consumedCapacity: What was taken of a shared device.
  device: The device.
  driver: Its driver.
  pool: Its pool.
  request: The request.
  shareID: Which share of it.
  tolerations: Taints that are put up with.
AllocatedDeviceStatus: What a driver tells of a given device.
  conditions: Where it stands.
  data: Anything else.
  device: The device.
  driver: Its driver.
  networkData: Of a network device.
  pool: Its pool.
  shareID: Which share of it.
NetworkDeviceData: A network device.
  hardwareAddress: Its hardware address.
  interfaceName: Its name in the pod.
  ips: Its addresses, with the length of the prefix.
OpaqueDeviceConfiguration: Settings for a driver.
  driver: The driver.
  parameters: Its settings; 10 KiB at most.
ResourceSlice: Some devices of a pool.
  spec: Which.
ResourceSliceSpec: Devices of a pool.
  allNodes: Whether all nodes reach them.
  devices: The devices; 128 at most.
  driver: Their driver. Cannot be changed.
  nodeName: The only node that reaches them. Cannot be changed.
  nodeSelector: The nodes that reach them.
  perDeviceNodeSelection: Whether each device tells who reaches it.
  pool: The pool.
  sharedCounters: What devices draw from together.
ResourcePool: A pool of devices.
  generation: Grows with each change; only the newest counts.
  name: Its name. Cannot be changed.
  resourceSliceCount: How many slices it has.
Device: One device.
  allNodes: Whether all nodes reach it.
  allowMultipleAllocations: Whether several requests may share it.
  attributes: What it is.
  basic: What it is.
  bindingConditions: Conditions that must be true before a pod is bound.
  bindingFailureConditions: Conditions of which none may be true.
  bindsToNode: Whether it is then tied to the node.
  capacity: What it has.
  consumesCounters: What it draws from shared counters.
  name: Its name; a DNS label.
  nodeAllocatableResourceMappings: What of the node's ordinary resources it stands for.
  nodeName: The only node that reaches it.
  nodeSelector: The nodes that reach it.
  taints: What keeps requests away from it.
BasicDevice: What a device is.
  allNodes: Whether all nodes reach it.
  allowMultipleAllocations: Whether several requests may share it.
  attributes: What it is.
  bindingConditions: Conditions that must be true before a pod is bound.
  bindingFailureConditions: Conditions of which none may be true.
  bindsToNode: Whether it is then tied to the node.
  capacity: What it has.
  consumesCounters: What it draws from shared counters.
  nodeAllocatableResourceMappings: What of the node's ordinary resources it stands for.
  nodeName: The only node that reaches it.
  nodeSelector: The nodes that reach it.
  taints: What keeps requests away from it.
DeviceAttribute: A value: one of these.
  bool: True or false.
  bools: Several of these.
  int: A whole number.
  ints: Several of these.
  string: A text.
  strings: Several of these.
  version: A semantic version.
  versions: Several of these.
DeviceCapacity: How much a device has of something.
  requestPolicy: In what portions it is given.
  value: How much.
CapacityRequestPolicy: In what portions capacity is given.
  default: Where nothing is asked for.
  validRange: Amounts between two.
  validValues: These amounts alone.
CapacityRequestPolicyRange: Amounts between two.
  max: The most.
  min: The least.
  step: In steps of this.
Counter: An amount to draw from.
  value: How much.
CounterSet: Amounts that devices draw from together.
  counters: The amounts, by name.
  name: Its name.
DeviceCounterConsumption: What a device draws.
  counterSet: From which set.
  counters: How much of each.
NodeAllocatableResourceMapping: What of the node's ordinary resources a device stands for.
  allocationMultiplier: How much for each unit.
  capacityKey: By which capacity.
DeviceTaint: What keeps requests away from a device unless they tolerate it.
  effect: NoSchedule, NoExecute or None.
  key: Its key.
  timeAdded: When it was added.
  value: Its value.
DeviceToleration: Taints of devices that a request puts up with.
  effect: Which effect; empty means any.
  key: The taint's key; empty, with Exists, means every taint.
  operator: Exists, or Equal (default).
  tolerationSeconds: For how many seconds NoExecute is put up with; none means for ever.
  value: The taint's value, for Equal.
DeviceTaintRule: Puts a taint on devices.
  spec: Which taint, on which.
  status: What came of it. Written by the system alone.
DeviceTaintRuleSpec: A taint and its devices.
  deviceSelector: The devices; none of its fields means all.
  taint: The taint.
DeviceTaintRuleStatus: What came of a rule.
  conditions: Where it stands.
DeviceTaintSelector: Devices; all fields must match.
  device: By name.
  driver: By driver.
  pool: By pool.
PoolStatus: What is known of a pool.
  allocatedDevices: Devices given.
  availableDevices: Devices that are free.
  driver: Its driver.
  generation: Its generation.
  nodeName: Its node.
  poolName: Its name.
  resourceSliceCount: How many slices it has.
  totalDevices: Devices in all.
  unavailableDevices: Devices that cannot be given.
  validationError: What is wrong with it.
ResourcePoolStatusRequest: Asks what is known of pools.
  spec: Of which.
  status: The answer.
ResourcePoolStatusRequestSpec: Of which pools.
  driver: Of this driver.
  limit: How many at most.
  poolName: Of this name.
ResourcePoolStatusRequestStatus: What is known of pools.
  conditions: Whether it is complete.
  poolCount: How many match.
  pools: The pools.
`;

export const storagemigration = `
StorageVersionMigration: Has all objects of a resource stored anew.
  spec: Of which resource.
  status: How far it is.
StorageVersionMigrationSpec: Of which resource.
  resource: The resource.
StorageVersionMigrationStatus: How far a migration is.
  conditions: Running, Succeeded or Failed.
  resourceVersion: Up to which state.
`;

export const apiserverinternal = `
StorageVersion: In which version a resource is stored. Its name is <group>.<resource>.
  spec: Empty.
  status: What servers tell.
StorageVersionSpec: Empty.
StorageVersionStatus: In which version a resource is stored.
  commonEncodingVersion: The version, where all servers agree.
  conditions: Whether they agree.
  storageVersions: What each server tells.
StorageVersionCondition: One aspect of where it stands.
ServerStorageVersion: What one server tells.
  apiServerID: The server.
  decodableVersions: Versions that it reads.
  encodingVersion: The version that it writes.
  servedVersions: Versions that it serves.
`;
