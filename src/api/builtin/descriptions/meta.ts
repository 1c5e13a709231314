/** meta/v1 and the other types of apimachinery. */
export const meta = `
ObjectMeta: What every object has: its name, labels and the like.
  annotations: Keys with texts that programs leave with the object; not for selecting.
  creationTimestamp: When it was created. Set by the server.
  deletionGracePeriodSeconds: Seconds that it has to end, once it is deleted. Set by the server.
  deletionTimestamp: When it is to be gone; set by the server when deletion was asked for. Cannot be taken back.
  finalizers: Names that must all be gone before the object is.
  generateName: A prefix: the server adds a random ending where no name is given.
  generation: Counts changes of what is wanted. Set by the server.
  labels: Keys with short values, to select objects by.
  managedFields: Who set which fields. Kept by the server for server-side apply.
  name: Its name, unique for its kind in the namespace. Cannot be changed.
  namespace: Its namespace; empty for kinds that have none. Cannot be changed.
  ownerReferences: Objects that it goes with: when all are gone it is deleted. One at most is its controller.
  resourceVersion: Names this state of the object. Opaque: send it back to write only if nobody else did, or to watch from there.
  selfLink: No longer filled in.
  uid: Tells it from others of the same name, before and after it. Set by the server.
OwnerReference: An object that another one goes with; of the same namespace, or of a kind that has none.
  blockOwnerDeletion: Whether the owner, deleted in the foreground, waits for this object.
  controller: Whether the owner is what manages it.
  uid: The owner's uid.
ManagedFieldsEntry: Fields that one manager set in one way.
  fieldsType: The form of fieldsV1: FieldsV1.
  fieldsV1: The fields.
  manager: Who set them.
  operation: Apply, or Update for all else.
  subresource: The subresource through which they were set.
  time: When they last changed.
FieldsV1: A set of fields as nested keys: f:<name> a field, k:<keys> an item of a list by its keys, v:<value> one by its value, i:<index> one by its place.
ListMeta: What every list has.
  continue: A token for the next page; empty on the last one.
  remainingItemCount: How many more items there are, where that is known.
  resourceVersion: The state that the list shows; a watch can go on from there.
  selfLink: No longer filled in.
  shardInfo: Which part of the whole the list is, where only a part was asked for.
ShardInfo: A part of a list.
  selector: What was asked for.
LabelSelector: Objects by their labels; all parts must match. An empty one matches everything, none nothing.
  matchExpressions: Requirements on labels.
  matchLabels: Labels with the values that they must have.
LabelSelectorRequirement: One requirement on a label.
  key: The label.
  operator: In, NotIn, Exists or DoesNotExist.
  values: The values, for In and NotIn.
FieldSelectorRequirement: One requirement on a field.
  key: The field.
  operator: In, NotIn, Exists or DoesNotExist.
  values: The values, for In and NotIn.
Condition: One aspect of where an object stands.
  observedGeneration: The generation of the object that it tells of.
DeleteOptions: How something is to be deleted.
  dryRun: All: everything is checked and nothing is done.
  gracePeriodSeconds: Seconds that it has to end; 0: at once. Default: by its kind.
  ignoreStoreReadErrorWithClusterBreakingPotential: Delete it even where the stored value cannot be read. Finalizers are passed over: for emergencies.
  orphanDependents: Old form of propagationPolicy.
  preconditions: What must hold for it to be deleted.
  propagationPolicy: What becomes of its dependents: Orphan, Background or Foreground (before it).
Preconditions: What must hold.
  resourceVersion: The object is in this state.
  uid: The object is this one.
Status: The answer where no object is answered: what went wrong, or that all is well.
  code: The HTTP code.
  details: More, by the reason.
  message: What happened, in words.
  reason: What went wrong, in one word (NotFound, Conflict, Invalid).
  status: Success or Failure.
StatusDetails: More about an error.
  causes: The single causes.
  group: The group of the object.
  name: The object's name.
  retryAfterSeconds: Seconds after which the same may be tried again.
  uid: The object's uid.
StatusCause: One cause of an error.
  field: The field, as a path (spec.ports[0].port).
  message: What is wrong with it, in words.
  reason: What is wrong with it, in one word (FieldValueRequired).
APIGroup: An API group and its versions.
  name: Its name.
  preferredVersion: The version that clients should use.
  serverAddressByClientCIDRs: Where clients reach the server, by their addresses.
  versions: Its versions.
APIGroupList: All API groups.
  groups: The groups.
APIVersions: Versions of the core group.
  serverAddressByClientCIDRs: Where clients reach the server, by their addresses.
  versions: The versions.
GroupVersionForDiscovery: One version of a group.
  groupVersion: As group/version.
  version: The version.
ServerAddressByClientCIDR: Where clients with some addresses reach the server.
  clientCIDR: The clients' addresses.
  serverAddress: The server's name or address.
APIResource: One resource of a group and version.
  categories: Names under which it is asked for with others (all).
  group: Its group, where it is another than the list's.
  name: Its name in paths, plural.
  namespaced: Whether its objects lie in namespaces.
  shortNames: Short names (po).
  singularName: Its name for one object.
  storageVersionHash: Changes with the version that it is stored in.
  verbs: What can be done with it.
  version: Its version, where it is another than the list's.
APIResourceList: Resources of one group and version.
  groupVersion: As group/version.
  resources: The resources.
GroupResource: A resource of a group.
  group: The group.
  resource: The resource.
WatchEvent: One change in a watch.
  object: The object after the change; before it, for DELETED; a Status for ERROR.
  type: ADDED, MODIFIED, DELETED, BOOKMARK or ERROR.
Patch: A change of an object; its form is told by the Content-Type.
Time: A time as RFC 3339 with seconds.
MicroTime: A time as RFC 3339 with microseconds.
`;

export const quantities = `
Quantity: An amount: a decimal number with an optional ending: m, k, M, G, T, P, E by thousands, Ki, Mi, Gi, Ti, Pi, Ei by 1024, or an exponent. At most three decimal places are kept, and sizes up to 2^63-1.
`;

export const intstr = `
IntOrString: A whole number, or a text: a name, or a percentage.
`;

export const runtime = `
RawExtension: Any object, kept as it is.
`;

export const version = `
Info: The version of the server.
  buildDate: When it was built.
  compiler: With which compiler.
  emulationMajor: The major version whose behaviour it shows.
  emulationMinor: The minor version whose behaviour it shows.
  gitCommit: From which commit.
  gitTreeState: Whether the sources were as in that commit.
  gitVersion: The version in full.
  goVersion: The version of the language's runtime.
  major: The major version.
  minCompatibilityMajor: The major version of the oldest one it works with.
  minCompatibilityMinor: The minor version of the oldest one it works with.
  minor: The minor version.
  platform: The system it was built for.
`;
