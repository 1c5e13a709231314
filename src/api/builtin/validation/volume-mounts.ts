import { forbiddenField, invalid } from '#apimachinery/field-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { booleanAt, objectAt, objectsAt, textAt, valueAt } from '../read.ts';
import { checkDescendingPath, checkOptionalChoice, type Errors, requireText } from './common.ts';
import type { KnownVolumes } from './volumes.ts';

/** Mounts of a container: known volumes, unique and free paths (core ValidateVolumeMounts, ValidateVolumeDevices). */
export function checkMounts(
  errors: Errors,
  path: string,
  container: JsonObject,
  volumes: KnownVolumes,
): void {
  const mounts = objectsAt(container, 'volumeMounts');
  const devices = objectsAt(container, 'volumeDevices');
  if (mounts.length === 0 && devices.length === 0) return;
  const deviceNames = new Set(devices.map((one) => textAt(one, 'name')));
  const devicePaths = new Set(devices.map((one) => textAt(one, 'devicePath')));
  const mountNames = new Set(mounts.map((one) => textAt(one, 'name')));
  const mountPaths = new Set(mounts.map((one) => textAt(one, 'mountPath')));
  const taken = new Set<string>();
  mounts.forEach((mount, i) => {
    const at = `${path}.volumeMounts[${i}]`;
    const name = textAt(mount, 'name');
    const mountPath = textAt(mount, 'mountPath');
    requireText(errors, `${at}.name`, name);
    if (!volumes.has(name)) {
      errors.push({
        type: 'FieldValueNotFound',
        field: `${at}.name`,
        message: `Not found: ${JSON.stringify(name)}`,
      });
    }
    requireText(errors, `${at}.mountPath`, mountPath);
    if (taken.has(mountPath)) errors.push(invalid(`${at}.mountPath`, mountPath, 'must be unique'));
    taken.add(mountPath);
    if (deviceNames.has(name)) {
      errors.push(invalid(`${at}.name`, name, 'must not already exist in volumeDevices'));
    }
    if (devicePaths.has(mountPath)) {
      errors.push(invalid(`${at}.mountPath`, mountPath, 'must not already exist as a path in volumeDevices'));
    }
    const subPath = textAt(mount, 'subPath');
    const expression = textAt(mount, 'subPathExpr');
    if (subPath !== '') checkDescendingPath(errors, `${path}.volumeMounts.subPath`, subPath);
    if (expression !== '') {
      if (subPath !== '') {
        errors.push(
          invalid(`${at}.subPathExpr`, expression, 'subPathExpr and subPath are mutually exclusive'),
        );
      }
      checkDescendingPath(errors, `${path}.volumeMounts.subPathExpr`, expression);
    }
    checkPropagation(errors, `${path}.volumeMounts`, mount, container);
  });
  checkDevices(errors, path, devices, volumes, mountNames, mountPaths);
}

function checkPropagation(errors: Errors, path: string, mount: JsonObject, container: JsonObject): void {
  const propagation = valueAt(mount, 'mountPropagation');
  checkOptionalChoice(errors, `${path}.mountPropagation`, propagation, [
    'Bidirectional',
    'HostToContainer',
    'None',
  ]);
  if (propagation === 'Bidirectional' && booleanAt(container, 'securityContext', 'privileged') !== true) {
    errors.push(
      forbiddenField(
        `${path}.mountPropagation`,
        'Bidirectional mount propagation is available only to privileged containers',
      ),
    );
  }
  const recursive = valueAt(mount, 'recursiveReadOnly');
  if (recursive === undefined) return;
  checkOptionalChoice(errors, `${path}.recursiveReadOnly`, recursive, ['Disabled', 'Enabled', 'IfPossible']);
  if (recursive !== 'Enabled' && recursive !== 'IfPossible') return;
  if (booleanAt(mount, 'readOnly') !== true) {
    errors.push(forbiddenField(`${path}.recursiveReadOnly`, 'may only be specified when readOnly is true'));
  }
  if (propagation !== undefined && propagation !== 'None') {
    errors.push(
      forbiddenField(
        `${path}.recursiveReadOnly`,
        'may only be specified when mountPropagation is None or not specified',
      ),
    );
  }
}

function checkDevices(
  errors: Errors,
  path: string,
  devices: readonly JsonObject[],
  volumes: KnownVolumes,
  mountNames: ReadonlySet<string>,
  mountPaths: ReadonlySet<string>,
): void {
  if (devices.length === 0) return;
  const names = new Set<string>();
  const paths = new Set<string>();
  devices.forEach((device, i) => {
    const at = `${path}.volumeDevices[${i}]`;
    const name = textAt(device, 'name');
    const devicePath = textAt(device, 'devicePath');
    const volume = volumes.get(name);
    requireText(errors, `${at}.name`, name);
    if (names.has(name)) errors.push(invalid(`${at}.name`, name, 'must be unique'));
    if (volume === undefined) {
      errors.push({
        type: 'FieldValueNotFound',
        field: `${at}.name`,
        message: `Not found: ${JSON.stringify(name)}`,
      });
    } else if (
      objectAt(volume, 'persistentVolumeClaim') === undefined &&
      objectAt(volume, 'ephemeral') === undefined
    ) {
      errors.push(
        invalid(
          `${at}.name`,
          name,
          'can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode',
        ),
      );
    }
    requireText(errors, `${at}.devicePath`, devicePath);
    if (paths.has(devicePath)) errors.push(invalid(`${at}.devicePath`, devicePath, 'must be unique'));
    if (devicePath.split('/').includes('..')) {
      errors.push(invalid(`${at}.devicePath`, devicePath, "can not contain backsteps ('..')"));
    } else paths.add(devicePath);
    if (mountNames.has(name)) {
      errors.push(invalid(`${at}.name`, name, 'must not already exist in volumeMounts'));
    }
    if (mountPaths.has(devicePath)) {
      errors.push(
        invalid(`${at}.devicePath`, devicePath, 'must not already exist as a path in volumeMounts'),
      );
    }
    if (name !== '') names.add(name);
  });
}
