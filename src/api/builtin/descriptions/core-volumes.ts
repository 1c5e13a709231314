/** Volumes, claims and what is mounted: core/v1. */
export const coreVolumes = `
Volume: A volume of a pod: its name and one source.
  awsElasticBlockStore: A disk of AWS; served by a CSI driver now.
  azureDisk: A disk of Azure; served by a CSI driver now.
  azureFile: A file share of Azure; served by a CSI driver now.
  cephfs: A Ceph file system; no longer supported.
  cinder: A Cinder volume; served by a CSI driver now.
  configMap: A ConfigMap, each key a file.
  csi: A volume that a CSI driver makes for this pod alone.
  downwardAPI: Fields of the pod as files.
  emptyDir: An empty folder that lives as long as the pod.
  ephemeral: A claim made for this pod, which goes with it.
  fc: A Fibre Channel disk.
  flexVolume: A volume of an exec-based plugin; use CSI instead.
  flocker: A Flocker volume; no longer supported.
  gcePersistentDisk: A disk of Google Compute Engine; served by a CSI driver now.
  gitRepo: A git repository; disabled, use an init container.
  glusterfs: A GlusterFS volume; no longer supported.
  hostPath: A file or folder of the node. Reaches beyond the pod: handle with care.
  image: An OCI image or artifact, mounted read-only.
  iscsi: An iSCSI disk.
  name: Its name, unique in the pod; a DNS label.
  nfs: An NFS share.
  persistentVolumeClaim: A claim of the namespace.
  photonPersistentDisk: A Photon disk; no longer supported.
  portworxVolume: A Portworx volume; served by a CSI driver now.
  projected: Several sources in one folder.
  quobyte: A Quobyte volume; no longer supported.
  rbd: A Ceph block device; no longer supported.
  scaleIO: A ScaleIO volume; no longer supported.
  secret: A Secret, each key a file.
  storageos: A StorageOS volume; no longer supported.
  vsphereVolume: A vSphere disk; served by a CSI driver now.
PersistentVolume: A piece of storage of the cluster.
  spec: What the storage is and what it is bound to.
  status: What is known of it. Written by the system alone.
PersistentVolumeSpec: What a volume is: its size, its access, one source.
  accessModes: How it may be mounted: ReadWriteOnce, ReadOnlyMany, ReadWriteMany, ReadWriteOncePod.
  awsElasticBlockStore: A disk of AWS; served by a CSI driver now.
  azureDisk: A disk of Azure; served by a CSI driver now.
  azureFile: A file share of Azure; served by a CSI driver now.
  capacity: Its size.
  cephfs: A Ceph file system; no longer supported.
  cinder: A Cinder volume; served by a CSI driver now.
  claimRef: The claim that it is bound to, or kept for.
  csi: A volume of a CSI driver.
  fc: A Fibre Channel disk.
  flexVolume: A volume of an exec-based plugin; use CSI instead.
  flocker: A Flocker volume; no longer supported.
  gcePersistentDisk: A disk of Google Compute Engine; served by a CSI driver now.
  glusterfs: A GlusterFS volume; no longer supported.
  hostPath: A folder of a node; for tests with a single node.
  iscsi: An iSCSI disk.
  local: A disk attached to one node; needs nodeAffinity.
  mountOptions: Options of the mount; not checked.
  nfs: An NFS share.
  nodeAffinity: From which nodes it can be reached.
  persistentVolumeReclaimPolicy: What becomes of it when its claim is gone: Retain, Delete or Recycle (deprecated).
  photonPersistentDisk: A Photon disk; no longer supported.
  portworxVolume: A Portworx volume; served by a CSI driver now.
  quobyte: A Quobyte volume; no longer supported.
  rbd: A Ceph block device; no longer supported.
  scaleIO: A ScaleIO volume; no longer supported.
  storageClassName: The StorageClass that it belongs to; empty: none.
  storageos: A StorageOS volume; no longer supported.
  volumeAttributesClassName: The VolumeAttributesClass that it has.
  volumeMode: Filesystem (default) or Block.
  vsphereVolume: A vSphere disk; served by a CSI driver now.
PersistentVolumeStatus: What is known of a volume.
  lastPhaseTransitionTime: When the phase last changed.
  message: Why it is in this state, in words.
  phase: Pending, Available, Bound, Released or Failed.
  reason: Why it failed, in one word.
PersistentVolumeClaim: A request for storage.
  spec: What is asked for.
  status: What was found. Written by the system alone.
PersistentVolumeClaimSpec: What storage is asked for.
  accessModes: How it must be mountable.
  dataSource: What the volume is filled from: a VolumeSnapshot or another claim.
  dataSourceRef: The same for any object, in another namespace too where that is granted; filled in from dataSource and the other way round.
  resources: How large it must be at least; may be raised later.
  selector: Labels that a volume must have.
  storageClassName: The StorageClass; empty: none; absent: the default one.
  volumeAttributesClassName: The VolumeAttributesClass wanted; may be changed later.
  volumeMode: Filesystem (default) or Block.
  volumeName: The volume that it is bound to.
PersistentVolumeClaimStatus: What was found for a claim.
  accessModes: How the volume can be mounted.
  allocatedResourceStatuses: How far a change of size is.
  allocatedResources: The size set aside while it changes.
  capacity: The size it has.
  conditions: Where it stands: Resizing, FileSystemResizePending and others.
  currentVolumeAttributesClassName: The VolumeAttributesClass it has.
  modifyVolumeStatus: How far a change of that class is.
  phase: Pending, Bound or Lost.
PersistentVolumeClaimCondition: One aspect of where a claim stands.
  lastProbeTime: When the condition was last looked at.
PersistentVolumeClaimTemplate: The claim made for an ephemeral volume.
  spec: What the claim asks for.
PersistentVolumeClaimVolumeSource: A claim used as a volume.
  claimName: The claim.
  readOnly: Whether all mounts of it are read-only. Default false.
ModifyVolumeStatus: How far a change of a volume's class is.
  status: Pending, InProgress or Infeasible.
  targetVolumeAttributesClassName: The class that is being put into effect.
VolumeResourceRequirements: How large storage is to be.
  limits: At most.
  requests: At least.
VolumeNodeAffinity: From which nodes a volume can be reached.
  required: What such a node must be.
TypedLocalObjectReference: An object of the same namespace, of any kind.
  apiGroup: Its API group; empty for the core group.
TypedObjectReference: An object of any kind.
  apiGroup: Its API group; empty for the core group.
  namespace: Its namespace; another one needs a ReferenceGrant there.
ConfigMapVolumeSource: A ConfigMap as files.
ConfigMapProjection: A ConfigMap in a projected volume.
SecretVolumeSource: A Secret as files.
  secretName: The Secret.
SecretProjection: A Secret in a projected volume.
KeyToPath: A key and the file it becomes.
  key: The key.
  mode: Permission bits of the file, 0 to 0777; without it, defaultMode.
  path: The file, relative, without '..'.
DownwardAPIVolumeSource: Fields of the pod as files.
DownwardAPIProjection: Fields of the pod in a projected volume.
DownwardAPIVolumeFile: A file and the field in it.
  fieldRef: A field of the pod: annotations, labels, name, namespace, uid.
  mode: Permission bits of the file, 0 to 0777; without it, defaultMode.
  path: The file, relative, without '..'.
  resourceFieldRef: A request or limit of a container.
EmptyDirVolumeSource: An empty folder.
  medium: Where it lies: empty (default, the node's disk) or Memory.
  sizeLimit: The most that it may hold.
EphemeralVolumeSource: A claim made for one pod.
  volumeClaimTemplate: The claim; its name is <pod>-<volume>.
HostPathVolumeSource: A path of the node.
  path: The path.
  type: What must be there: DirectoryOrCreate, Directory, FileOrCreate, File, Socket, CharDevice, BlockDevice; empty: not checked.
ImageVolumeSource: An image as a volume.
  pullPolicy: Always, IfNotPresent or Never.
  reference: The image.
ProjectedVolumeSource: Several sources in one folder.
  sources: The sources.
VolumeProjection: One source of a projected volume.
  clusterTrustBundle: Trust anchors of ClusterTrustBundles as a PEM file.
  configMap: Keys of a ConfigMap.
  downwardAPI: Fields of the pod.
  podCertificate: A key and a certificate made for the pod, renewed in time.
  secret: Keys of a Secret.
  serviceAccountToken: A token of the pod's service account.
ClusterTrustBundleProjection: Trust anchors as a file.
  labelSelector: Which bundles of the signer.
  name: One bundle by name; not together with signerName.
  optional: Whether they may be missing.
  path: The file, relative.
  signerName: All bundles of this signer.
PodCertificateProjection: A key and a certificate made for a pod.
  certificateChainPath: The file for the certificate chain.
  credentialBundlePath: One file for key and chain together.
  keyPath: The file for the key.
  keyType: RSA3072, RSA4096, ECDSAP256, ECDSAP384, ECDSAP521 or ED25519.
  maxExpirationSeconds: The longest life of the certificate that is accepted.
  signerName: The signer that is asked.
  userAnnotations: Further wishes that the signer may heed.
ServiceAccountTokenProjection: A token as a file.
  audience: Whom the token is for. Default: the API server.
  expirationSeconds: How long it is good; renewed in time. Default 3600, at least 600.
  path: The file, relative.
NFSVolumeSource: An NFS share.
  path: The path exported by the server.
  server: Name or address of the server.
ISCSIVolumeSource: An iSCSI disk.
ISCSIPersistentVolumeSource: An iSCSI disk.
FCVolumeSource: A Fibre Channel disk, by targetWWNs and lun or by wwids.
  lun: The logical unit.
  targetWWNs: World-wide names of the targets.
  wwids: World-wide identifiers of the volume.
CSIVolumeSource: A volume that a CSI driver makes for one pod.
  nodePublishSecretRef: The Secret that the driver is given to publish it.
  volumeAttributes: What the driver wants to know.
CSIPersistentVolumeSource: A volume of a CSI driver.
  controllerExpandSecretRef: The Secret for growing it.
  controllerPublishSecretRef: The Secret for attaching it.
  nodeExpandSecretRef: The Secret for growing it on the node.
  nodePublishSecretRef: The Secret for mounting it.
  nodeStageSecretRef: The Secret for preparing it on the node.
  volumeAttributes: What the driver has told of it.
  volumeHandle: The driver's own name of it.
LocalVolumeSource: A disk attached to one node.
  path: The device, or the folder where it is mounted.
AWSElasticBlockStoreVolumeSource: A disk of AWS.
  volumeID: The disk.
AzureDiskVolumeSource: A disk of Azure.
  cachingMode: None, ReadOnly or ReadWrite.
  diskName: The disk.
  diskURI: Its address.
AzureFileVolumeSource: A file share of Azure.
  secretName: The Secret with the account's name and key.
  shareName: The share.
AzureFilePersistentVolumeSource: A file share of Azure.
  secretName: The Secret with the account's name and key.
  secretNamespace: The namespace of that Secret.
  shareName: The share.
CephFSVolumeSource: A Ceph file system.
CephFSPersistentVolumeSource: A Ceph file system.
CinderVolumeSource: A Cinder volume.
  volumeID: The volume.
CinderPersistentVolumeSource: A Cinder volume.
  volumeID: The volume.
FlexVolumeSource: A volume of an exec-based plugin.
  options: What the plugin wants to know.
FlexPersistentVolumeSource: A volume of an exec-based plugin.
  options: What the plugin wants to know.
FlockerVolumeSource: A Flocker volume.
  datasetName: The dataset by name.
  datasetUUID: The dataset by id.
GCEPersistentDiskVolumeSource: A disk of Google Compute Engine.
  pdName: The disk.
GitRepoVolumeSource: A git repository.
  directory: The folder that it is put into.
  repository: Its URL.
  revision: The commit.
GlusterfsVolumeSource: A GlusterFS volume.
GlusterfsPersistentVolumeSource: A GlusterFS volume.
PhotonPersistentDiskVolumeSource: A Photon disk.
  pdID: The disk.
PortworxVolumeSource: A Portworx volume.
  volumeID: The volume.
QuobyteVolumeSource: A Quobyte volume.
  group: The group that it is mapped to.
  registry: Where Quobyte's registry is, as host:port, several by commas.
  tenant: The tenant.
  user: The user that it is mapped to.
  volume: The volume.
RBDVolumeSource: A Ceph block device.
RBDPersistentVolumeSource: A Ceph block device.
ScaleIOVolumeSource: A ScaleIO volume.
ScaleIOPersistentVolumeSource: A ScaleIO volume.
StorageOSVolumeSource: A StorageOS volume.
StorageOSPersistentVolumeSource: A StorageOS volume.
VsphereVirtualDiskVolumeSource: A vSphere disk.
  storagePolicyID: The id of its storage policy.
  storagePolicyName: The name of its storage policy.
  volumePath: The path of the disk.
SecretReference: A Secret of any namespace.
  namespace: Its namespace.
AttachedVolume: A volume attached to a node.
  devicePath: The device.
  name: The volume.
`;
