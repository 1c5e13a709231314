/** Who may do what: rbac, authentication, authorization, certificates. */
export const rbac = `
Role: Rights inside one namespace.
  rules: The rights.
ClusterRole: Rights in the whole workspace, or for use by bindings of single namespaces.
  aggregationRule: Other ClusterRoles whose rules make up this one; its own are then kept by the system.
  rules: The rights.
PolicyRule: Verbs on resources, or on paths.
  apiGroups: Groups of the resources; "" is the core group, * all.
  nonResourceURLs: Paths that are no resources; * at the end stands for anything. In a ClusterRole alone.
  resourceNames: Names of single objects; none means all.
  resources: Resources, also <resource>/<subresource>; * means all.
  verbs: Verbs; * means all.
AggregationRule: Which ClusterRoles are put together.
  clusterRoleSelectors: By their labels; those that match any of the selectors.
RoleBinding: Gives the rights of a role to subjects, in its namespace.
  roleRef: The Role of the namespace, or a ClusterRole. Cannot be changed.
  subjects: Who gets them.
ClusterRoleBinding: Gives the rights of a ClusterRole to subjects, in the whole workspace.
  roleRef: The ClusterRole. Cannot be changed.
  subjects: Who gets them.
RoleRef: The role of a binding.
  apiGroup: rbac.authorization.k8s.io.
Subject: A user, a group or a service account.
  apiGroup: Empty for service accounts, rbac.authorization.k8s.io for users and groups.
  namespace: The namespace of a service account; none for users and groups.
`;

export const authentication = `
TokenReview: Asks whose token it is. Not stored.
  spec: The token.
  status: The answer.
TokenReviewSpec: A token.
  audiences: Whom the token must be for; without it, the API server.
  token: The token.
TokenReviewStatus: Whose token it is.
  audiences: Whom it is for, of those that were asked.
  authenticated: Whether it is good.
  error: Why it could not be checked.
  user: Whose it is.
UserInfo: Who somebody is.
  extra: What else the authenticator tells.
  groups: Groups that the user is in.
  uid: Tells the user from others of the same name.
  username: The user's name.
TokenRequest: Asks for a token of a service account. Not stored.
  spec: What token.
  status: The token.
TokenRequestSpec: What token is asked for.
  audiences: Whom it is for.
  boundObjectRef: An object with which the token ends: a Pod, a Secret or a Node.
  expirationSeconds: How long it is good; the server may give another time. Default 3600.
TokenRequestStatus: The token.
  expirationTimestamp: When it ends.
  token: The token.
BoundObjectReference: The object that a token ends with.
  uid: Its uid.
SelfSubjectReview: Asks who oneself is. Not stored.
  status: The answer.
SelfSubjectReviewStatus: Who the asker is.
  userInfo: The user.
`;

export const authorization = `
SubjectAccessReview: Asks whether somebody may do something. Not stored.
  spec: Who, and what.
  status: The answer.
LocalSubjectAccessReview: Asks whether somebody may do something in one namespace. Not stored.
  spec: Who, and what; in the namespace of the request.
  status: The answer.
SelfSubjectAccessReview: Asks whether oneself may do something. Not stored.
  spec: What.
  status: The answer.
SubjectAccessReviewSpec: Who wants to do what; one of the two sorts of attributes.
  extra: What else is known of the user.
  groups: The user's groups.
  nonResourceAttributes: Something with a path.
  resourceAttributes: Something with a resource.
  uid: The user's uid.
  user: The user's name.
SelfSubjectAccessReviewSpec: What oneself wants to do; one of the two.
  nonResourceAttributes: Something with a path.
  resourceAttributes: Something with a resource.
SubjectAccessReviewStatus: Whether it is allowed.
  allowed: Whether it is.
  denied: Whether it is forbidden outright, so that nobody else need be asked.
  evaluationError: What went wrong on the way; the answer may be right all the same.
  reason: Why.
ResourceAttributes: Something done with a resource.
  fieldSelector: Fields by which it is bounded.
  group: The group; * means all.
  labelSelector: Labels by which it is bounded.
  name: The object's name; empty means all.
  namespace: The namespace; empty means all, or none.
  resource: The resource; * means all.
  subresource: The subresource.
  verb: get, list, watch, create, update, patch, delete, deletecollection and others; * means all.
  version: The version; * means all.
FieldSelectorAttributes: Fields by which a request is bounded.
  rawSelector: As it stood in the request.
  requirements: Taken apart; all hold.
LabelSelectorAttributes: Labels by which a request is bounded.
  rawSelector: As it stood in the request.
  requirements: Taken apart; all hold.
NonResourceAttributes: Something done with a path.
  path: The path.
  verb: The verb, as the HTTP method in small letters.
SelfSubjectRulesReview: Asks for all rights of oneself in a namespace. For user interfaces; it may be incomplete. Not stored.
  spec: Which namespace.
  status: The rights.
SelfSubjectRulesReviewSpec: Where.
  namespace: The namespace.
SubjectRulesReviewStatus: Rights.
  evaluationError: What went wrong on the way.
  incomplete: Whether there may be more.
  nonResourceRules: Rights on paths.
  resourceRules: Rights on resources.
NonResourceRule: Verbs on paths.
  nonResourceURLs: Paths; * at the end stands for anything.
  verbs: Verbs; * means all.
ResourceRule: Verbs on resources.
  apiGroups: Groups; * means all.
  resourceNames: Names of single objects; none means all.
  resources: Resources; * means all.
  verbs: Verbs; * means all.
`;

export const certificates = `
CertificateSigningRequest: Asks a signer for a certificate.
  spec: What is asked. Cannot be changed.
  status: What became of it, and the certificate.
CertificateSigningRequestSpec: What is asked of a signer.
  expirationSeconds: How long the certificate shall be good; at least 600. The signer may give another time.
  extra: What else is known of the asker. Set by the server.
  groups: The asker's groups. Set by the server.
  request: The request as PEM (PKCS#10), in base64.
  signerName: The signer (kubernetes.io/kube-apiserver-client).
  uid: The asker's uid. Set by the server.
  usages: What the key shall be good for (digital signature, client auth).
  username: The asker. Set by the server.
CertificateSigningRequestStatus: What became of a request.
  certificate: The certificate chain as PEM, in base64.
  conditions: Approved, Denied or Failed; these cannot be taken back.
CertificateSigningRequestCondition: One decision about a request.
  lastUpdateTime: When it was last written.
ClusterTrustBundle: Trust anchors for the whole cluster.
  spec: The anchors.
ClusterTrustBundleSpec: Trust anchors.
  signerName: The signer that they belong to; the name of the object begins with it.
  trustBundle: Certificates as PEM, in any order.
PodCertificateRequest: A pod's request for a certificate, made by its kubelet.
  spec: What is asked. Cannot be changed.
  status: The answer.
PodCertificateRequestSpec: What a kubelet asks for a pod.
  maxExpirationSeconds: The longest life that is accepted.
  nodeName: The pod's node.
  nodeUID: That node's uid.
  pkixPublicKey: The public key, in PKIX form.
  podName: The pod.
  podUID: Its uid.
  proofOfPossession: The pod's uid signed with the private key.
  serviceAccountName: The pod's service account.
  serviceAccountUID: Its uid.
  signerName: The signer.
  stubPKCS10Request: A request in PKCS#10 form that holds the key and nothing else.
  unverifiedUserAnnotations: Further wishes that the signer may heed; nobody has checked them.
PodCertificateRequestStatus: What became of a pod's request.
  beginRefreshAt: When a new one should be asked for.
  certificateChain: The certificate chain as PEM.
  conditions: Issued, Denied or Failed.
  notAfter: When the certificate ends.
  notBefore: When it begins.
`;
