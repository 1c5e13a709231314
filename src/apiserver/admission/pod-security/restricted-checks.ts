import { booleanAt, numberAt, objectAt, objectsAt, textAt, textsAt } from '#api/builtin/read.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { badSeccomp, isSeccomp } from './baseline-checks.ts';
import { type Check, containersText, namesOf, plural, quoted, settersText, sorted } from './findings.ts';

/** The checks that level restricted adds; texts as k8s.io/pod-security-admission's. */

export const allowPrivilegeEscalation: Check = ({ spec }) => {
  const names = namesOf(
    spec,
    (one) => booleanAt(one, 'securityContext', 'allowPrivilegeEscalation') !== false,
  );
  if (names.length === 0) return undefined;
  return {
    reason: 'allowPrivilegeEscalation != false',
    detail: `${containersText(names)} must set securityContext.allowPrivilegeEscalation=false`,
  };
};

export const droppedCapabilities: Check = ({ spec }) => {
  const added: string[] = [];
  const keeping = namesOf(
    spec,
    (one) => !textsAt(one, 'securityContext', 'capabilities', 'drop').includes('ALL'),
  );
  const adding = namesOf(spec, (one) => {
    const beyond = textsAt(one, 'securityContext', 'capabilities', 'add').filter(
      (capability) => capability !== 'NET_BIND_SERVICE',
    );
    added.push(...beyond);
    return beyond.length > 0;
  });
  const details = [
    ...(keeping.length > 0
      ? [`${containersText(keeping)} must set securityContext.capabilities.drop=["ALL"]`]
      : []),
    ...(adding.length > 0
      ? [
          `${containersText(adding)} must not include ${quoted(sorted(added))} in securityContext.capabilities.add`,
        ]
      : []),
  ];
  if (details.length === 0) return undefined;
  return { reason: 'unrestricted capabilities', detail: details.join('; ') };
};

const allowedVolumes = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'image',
  'persistentVolumeClaim',
  'projected',
  'secret',
];
const knownVolumes = [
  'hostPath',
  'gcePersistentDisk',
  'awsElasticBlockStore',
  'gitRepo',
  'nfs',
  'iscsi',
  'glusterfs',
  'rbd',
  'flexVolume',
  'cinder',
  'cephfs',
  'flocker',
  'fc',
  'azureFile',
  'vsphereVolume',
  'quobyte',
  'azureDisk',
  'photonPersistentDisk',
  'portworxVolume',
  'scaleIO',
  'storageos',
];

export const volumeTypes: Check = ({ spec }) => {
  const has = (volume: JsonObject) => (type: string) => objectAt(volume, type) !== undefined;
  const bad = objectsAt(spec, 'volumes').filter((volume) => !allowedVolumes.some(has(volume)));
  if (bad.length === 0) return undefined;
  const names = bad.map((volume) => textAt(volume, 'name'));
  const types = sorted(bad.map((volume) => knownVolumes.find(has(volume)) ?? 'unknown'));
  const volumes = `${plural(names.length, 'volume', 'volumes')} ${quoted(names)} ${plural(names.length, 'uses', 'use')}`;
  const what = plural(types.length, 'restricted volume type', 'restricted volume types');
  return { reason: 'restricted volume types', detail: `${volumes} ${what} ${quoted(types)}` };
};

export const runAsNonRoot: Check = ({ spec }) => {
  const says = (holder: JsonObject) => booleanAt(holder, 'securityContext', 'runAsNonRoot');
  const setters = settersText(
    says(spec) === false,
    namesOf(spec, (one) => says(one) === false),
  );
  const reason = 'runAsNonRoot != true';
  if (setters !== '') return { reason, detail: `${setters} must not set securityContext.runAsNonRoot=false` };
  if (says(spec) === true) return undefined;
  const silent = namesOf(spec, (one) => says(one) === undefined);
  if (silent.length === 0) return undefined;
  return { reason, detail: `pod or ${containersText(silent)} must set securityContext.runAsNonRoot=true` };
};

export const runAsUser: Check = ({ spec }) => {
  const isRoot = (holder: JsonObject) => numberAt(holder, 'securityContext', 'runAsUser') === 0;
  const setters = settersText(isRoot(spec), namesOf(spec, isRoot));
  if (setters === '') return undefined;
  return { reason: 'runAsUser=0', detail: `${setters} must not set runAsUser=0` };
};

export const requiredSeccomp: Check = ({ spec }) => {
  const bad = badSeccomp(spec);
  if (bad !== undefined) return bad;
  if (isSeccomp(objectAt(spec, 'securityContext', 'seccompProfile'))) return undefined;
  const silent = namesOf(spec, (one) => objectAt(one, 'securityContext', 'seccompProfile') === undefined);
  if (silent.length === 0) return undefined;
  return {
    reason: 'seccompProfile',
    detail: `pod or ${containersText(silent)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"`,
  };
};
