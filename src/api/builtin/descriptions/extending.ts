/** admissionregistration.k8s.io, apiextensions.k8s.io, apiregistration.k8s.io, flowcontrol.apiserver.k8s.io. */
const webhookFields = `
  admissionReviewVersions: Versions of AdmissionReview that it understands, the best first.
  clientConfig: Where it is reached.
  failurePolicy: What happens when it cannot be asked: Fail (default) or Ignore.
  matchConditions: CEL expressions that must all be true for it to be asked; 64 at most.
  matchPolicy: Whether requests to other versions of a resource count: Equivalent (default) or Exact.
  name: Its name: a domain of three parts at least.
  namespaceSelector: Labels of the namespaces whose objects it is asked about; an empty selector means all.
  objectSelector: Labels of the objects that it is asked about, before or after the change.
  rules: Which requests it is asked about.
  sideEffects: None, or NoneOnDryRun.
  timeoutSeconds: For how long it is waited, 1 to 30. Default 10.`;

/** Both groups that have webhooks say where they are by types of their own, which are the same. */
const webhookTargets = `
WebhookClientConfig: Where a webhook is reached: by url or service.
  caBundle: Certificates to check the server's by, as PEM in base64. Default: those of the system.
  service: A service.
  url: An https address, without user, query and fragment.
ServiceReference: A service.
  namespace: Its namespace.
  path: The path of the request.
  port: Its port. Default 443.
`;

export const admissionregistration = `
MutatingWebhookConfiguration: Webhooks that may change objects on their way in.
  webhooks: The webhooks.
MutatingWebhook: A webhook that may change objects.${webhookFields}
  reinvocationPolicy: Whether it is asked again when others have changed the object since: Never (default) or IfNeeded.
ValidatingWebhookConfiguration: Webhooks that may refuse requests.
  webhooks: The webhooks.
ValidatingWebhook: A webhook that may refuse requests.${webhookFields}${webhookTargets}RuleWithOperations: Requests, by operation and resource.
  apiGroups: Groups; * means all.
  apiVersions: Versions; * means all.
  operations: CREATE, UPDATE, DELETE, CONNECT or *.
  resources: Resources, also <resource>/<subresource>; * means all resources, */* with all subresources.
  scope: Cluster, Namespaced or * (default).
NamedRuleWithOperations: Requests, by operation, resource and name.
  apiGroups: Groups; * means all.
  apiVersions: Versions; * means all.
  operations: CREATE, UPDATE, DELETE, CONNECT or *.
  resourceNames: Names of single objects; none means all.
  resources: Resources, also <resource>/<subresource>; * means all resources, */* with all subresources.
  scope: Cluster, Namespaced or * (default).
MatchCondition: An expression that must be true.
  expression: CEL; it sees object, oldObject, request and authorizer.
  name: Its name.
MatchResources: Which requests.
  excludeResourceRules: Those that are left out.
  matchPolicy: Whether requests to other versions of a resource count: Equivalent (default) or Exact.
  namespaceSelector: Labels of the namespaces; an empty selector means all.
  objectSelector: Labels of the objects, before or after the change.
  resourceRules: Those that are meant.
ValidatingAdmissionPolicy: Rules in CEL that may refuse requests. Acts where a binding says so.
  spec: The rules.
  status: What was found on reading them.
ValidatingAdmissionPolicySpec: Rules for requests.
  auditAnnotations: What is noted in the audit log.
  failurePolicy: What happens when an expression fails: Fail (default) or Ignore.
  matchConditions: Expressions that must all be true for the policy to act; 64 at most.
  matchConstraints: Which requests.
  paramKind: The kind of its parameters.
  validations: Expressions that must be true.
  variables: Values with names, for use in expressions as variables.<name>.
ValidatingAdmissionPolicyStatus: What was found on reading a policy.
  conditions: Where it stands.
  observedGeneration: The generation that this status tells of.
  typeChecking: What does not fit the types of the matched resources.
TypeChecking: Findings about expressions.
  expressionWarnings: The findings.
ExpressionWarning: One finding.
  fieldRef: Where the expression stands.
  warning: What does not fit.
Validation: An expression that must be true.
  expression: CEL; it sees object, oldObject, request, params, namespaceObject, variables and authorizer.
  message: What is said when it is not; one line.
  messageExpression: CEL that makes the message; wins over message.
  reason: Unauthorized, Forbidden, Invalid (default) or RequestEntityTooLarge.
Variable: A value with a name.
  expression: CEL.
  name: Its name; a CEL identifier.
AuditAnnotation: What is noted in the audit log.
  key: Its key.
  valueExpression: CEL that makes the value; null leaves it out.
ParamKind: The kind of parameters.
ParamRef: Which parameters.
  name: One object by name; not together with selector.
  namespace: Its namespace. Default: that of the request's object.
  parameterNotFoundAction: What happens where there are none: Allow or Deny.
  selector: Objects by their labels; each counts.
ValidatingAdmissionPolicyBinding: Makes a policy act.
  spec: Which, on what, and how.
ValidatingAdmissionPolicyBindingSpec: How a policy acts.
  matchResources: Which of its requests.
  paramRef: Its parameters.
  policyName: The policy.
  validationActions: What follows: Deny, Warn, Audit.
MutatingAdmissionPolicy: Changes in CEL, made to objects on their way in. Acts where a binding says so.
  spec: The changes.
MutatingAdmissionPolicySpec: Changes to objects.
  failurePolicy: What happens when an expression fails: Fail (default) or Ignore.
  matchConditions: Expressions that must all be true for the policy to act; 64 at most.
  matchConstraints: Which requests.
  mutations: The changes, in order.
  paramKind: The kind of its parameters.
  reinvocationPolicy: Whether it acts again when others have changed the object since: Never or IfNeeded.
  variables: Values with names, for use in expressions as variables.<name>.
MutatingAdmissionPolicyBinding: Makes a policy act.
  spec: Which, on what.
MutatingAdmissionPolicyBindingSpec: How a policy acts.
  matchResources: Which of its requests.
  paramRef: Its parameters.
  policyName: The policy.
Mutation: One change.
  applyConfiguration: An object that is applied.
  jsonPatch: A JSON patch.
  patchType: ApplyConfiguration or JSONPatch.
ApplyConfiguration: An object that is applied.
  expression: CEL that makes it: Object{…}.
JSONPatch: A JSON patch.
  expression: CEL that makes it: a list of JSONPatch{…}.
`;

export const apiextensions = `
CustomResourceDefinition: A kind of one's own. Its name is <plural>.<group>.
  spec: What it is called and what it looks like.
  status: What is served of it. Written by the system alone.
CustomResourceDefinitionSpec: A kind of one's own.
  conversion: How objects become those of another version.
  group: Its group. Cannot be changed.
  names: What it is called.
  preserveUnknownFields: No longer allowed to be true; say so in the schema.
  scope: Namespaced or Cluster. Cannot be changed.
  versions: Its versions.
CustomResourceDefinitionNames: What a kind is called.
  categories: Names under which it is asked for with others (all).
  listKind: The kind of its lists. Default: <kind>List.
  plural: Its name in paths.
  shortNames: Short names.
  singular: Its name for one object. Default: the kind in small letters.
CustomResourceDefinitionVersion: One version of a kind.
  additionalPrinterColumns: Columns of tables. Default: the age.
  deprecated: Whether those who use it are warned.
  deprecationWarning: The warning.
  name: The version (v1, v1beta1).
  schema: What objects look like.
  selectableFields: Fields that field selectors may name; 8 at most.
  served: Whether it is served.
  storage: Whether objects are stored in it; true for exactly one.
  subresources: status and scale.
CustomResourceColumnDefinition: One column of tables.
  description: What it shows.
  format: A form of the type (date-time).
  jsonPath: Where the value is found in each object.
  name: Its heading.
  priority: Above 0: shown only where there is room (-o wide).
  type: integer, number, string, boolean or date.
CustomResourceConversion: How objects become those of another version.
  strategy: None: only apiVersion changes; Webhook: a webhook does it.
  webhook: The webhook.
WebhookConversion: A webhook that converts objects.
  clientConfig: Where it is reached.
  conversionReviewVersions: Versions of ConversionReview that it understands, the best first.${webhookTargets}CustomResourceValidation: What objects look like.
  openAPIV3Schema: As a schema of OpenAPI v3.
CustomResourceSubresources: Subresources of a kind.
  scale: How many replicas; for autoscalers and kubectl scale.
  status: The status, written apart from the rest.
CustomResourceSubresourceStatus: Turns the subresource status on. Empty.
CustomResourceSubresourceScale: Where the numbers are found.
  labelSelectorPath: The pods' labels as a text, below .status or .spec.
  specReplicasPath: How many there are to be, below .spec.
  statusReplicasPath: How many there are, below .status.
SelectableField: A field that selectors may name.
  jsonPath: Where it is: a text, a whole number or a truth value.
CustomResourceDefinitionStatus: What is served of a kind.
  acceptedNames: What it is called in fact.
  conditions: Where it stands: NamesAccepted, Established, Terminating and others.
  observedGeneration: The generation that this status tells of.
  storedVersions: Versions in which objects may be stored.
CustomResourceDefinitionCondition: One aspect of where a kind stands.
ValidationRule: A rule in CEL.
  fieldPath: The field that the error names.
  message: What is said when it does not hold; one line.
  messageExpression: CEL that makes the message; wins over message.
  optionalOldSelf: Whether a rule that sees oldSelf holds for new values too; oldSelf is then optional.
  reason: FieldValueInvalid (default), FieldValueForbidden, FieldValueRequired or FieldValueDuplicate.
  rule: CEL; it sees self, and oldSelf, the value before.
ExternalDocumentation: Where more is written.
  description: What is there.
  url: Where.
JSON: Any value.
JSONSchemaProps: A JSON schema as OpenAPI v3 has it.
  $ref: Not allowed.
  $schema: Which schema language.
  additionalItems: Not allowed.
  additionalProperties: The schema of values whose keys are not named; or whether there may be any.
  allOf: All of these must hold.
  anyOf: One of these at least must hold.
  default: The value where there is none.
  definitions: Not allowed.
  dependencies: Not allowed.
  description: What it is for.
  enum: The only values that are allowed.
  example: A value as it might be.
  exclusiveMaximum: Whether maximum itself is too much.
  exclusiveMinimum: Whether minimum itself is too little.
  externalDocs: Where more is written.
  format: A form that is checked: date-time, duration, int32, ip, uuid and others; others are passed over.
  id: Not allowed.
  items: The schema of a list's items.
  maxItems: The most items.
  maxLength: The most characters.
  maxProperties: The most keys.
  maximum: The greatest number.
  minItems: The fewest items.
  minLength: The fewest characters.
  minProperties: The fewest keys.
  minimum: The least number.
  multipleOf: A number of which it must be a multiple.
  not: This must not hold.
  nullable: Whether null is kept.
  oneOf: Exactly one of these must hold.
  pattern: A regular expression that must match.
  patternProperties: Not allowed.
  properties: Fields and their schemas.
  required: Fields that must be there.
  title: A heading.
  type: object, array, string, integer, number or boolean.
  uniqueItems: Not allowed to be true; use x-kubernetes-list-type: set.
  x-kubernetes-embedded-resource: Whether it is an object with apiVersion, kind and metadata.
  x-kubernetes-int-or-string: Whether it is a whole number or a text.
  x-kubernetes-list-map-keys: Fields that tell items of a list apart, for list type map.
  x-kubernetes-list-type: atomic (default): replaced as a whole; set: values; map: items by keys.
  x-kubernetes-map-type: granular (default): each field by itself; atomic: replaced as a whole.
  x-kubernetes-preserve-unknown-fields: Whether fields that are not named are kept.
  x-kubernetes-validations: Rules in CEL.
JSONSchemaPropsOrArray: A schema, or a list of them.
JSONSchemaPropsOrBool: A schema, or true or false.
JSONSchemaPropsOrStringArray: A schema, or a list of texts.
`;

export const apiregistration = `
APIService: A group and version of APIs, and who serves it. Its name is <version>.<group>.
  spec: Which, and who.
  status: Whether it can be reached. Written by the system alone.
APIServiceSpec: Who serves a group and version.
  caBundle: Certificates to check the server's by, as PEM in base64.
  group: The group.
  groupPriorityMinimum: How far ahead the group stands among groups, at least.
  insecureSkipTLSVerify: Whether the server's certificate is not checked. Not together with caBundle.
  service: The service; none: the server itself.
  version: The version.
  versionPriority: How far ahead the version stands in its group.
APIServiceStatus: Whether an API can be reached.
  conditions: Available.
APIServiceCondition: One aspect of where it stands.
ServiceReference: A service.
  namespace: Its namespace.
  port: Its port. Default 443.
`;

export const flowcontrol = `
FlowSchema: Puts some requests into a priority level.
  spec: Which requests, and which level.
  status: Where it stands.
FlowSchemaSpec: Which requests belong together.
  distinguisherMethod: How flows are told apart; none: all requests are one flow.
  matchingPrecedence: The lowest that matches decides; 1 to 10000. Default 1000.
  priorityLevelConfiguration: The level.
  rules: Which requests; one must match.
FlowSchemaStatus: Where a schema stands.
  conditions: Dangling: the level is not there.
FlowSchemaCondition: One aspect of where a schema stands.
FlowDistinguisherMethod: How flows are told apart.
  type: ByUser or ByNamespace.
PolicyRulesWithSubjects: Requests of some subjects.
  nonResourceRules: Requests to paths.
  resourceRules: Requests to resources.
  subjects: Whose.
Subject: A user, a group or a service account.
  group: A group.
  serviceAccount: A service account.
  user: A user.
UserSubject: A user.
  name: The name; * means everybody.
GroupSubject: A group.
  name: The name; * means every group.
ServiceAccountSubject: A service account.
  name: The name; * means all of the namespace.
  namespace: Its namespace.
ResourcePolicyRule: Requests to resources.
  apiGroups: Groups; * means all.
  clusterScope: Whether requests without a namespace match.
  namespaces: Namespaces; * means all.
  resources: Resources; * means all.
  verbs: Verbs; * means all.
NonResourcePolicyRule: Requests to paths.
  nonResourceURLs: Paths; * at the end stands for anything.
  verbs: Verbs; * means all.
PriorityLevelConfiguration: How many requests of a sort run at once, and what the others do.
  spec: How many.
  status: Where it stands.
PriorityLevelConfigurationSpec: A priority level.
  exempt: Details of Exempt.
  limited: Details of Limited.
  type: Limited, or Exempt: they never wait.
PriorityLevelConfigurationStatus: Where a level stands.
  conditions: What was found.
PriorityLevelConfigurationCondition: One aspect of where a level stands.
PriorityLevelConfigurationReference: A level.
  name: Its name.
ExemptPriorityLevelConfiguration: A level whose requests never wait.
  lendablePercent: How much of its part others may use. Default 0.
  nominalConcurrencyShares: Its part of all seats. Default 0.
LimitedPriorityLevelConfiguration: A level with a bound.
  borrowingLimitPercent: How much it may use of others' parts, in percent of its own; none means no bound.
  lendablePercent: How much of its part others may use. Default 0.
  limitResponse: What becomes of requests that find no seat.
  nominalConcurrencyShares: Its part of all seats. Default 30.
LimitResponse: What becomes of requests that find no seat.
  queuing: Details of Queue.
  type: Queue, or Reject.
QueuingConfiguration: How requests wait.
  handSize: How many queues a flow may choose among. Default 8.
  queueLengthLimit: How many wait in one queue. Default 50.
  queues: How many queues. Default 64.
`;
