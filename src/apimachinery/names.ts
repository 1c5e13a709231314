import { RandomPool } from './random-pool.ts';

/**
 * Validators of names, each returning what is wrong (nothing when valid) in the words of Kubernetes'
 * k8s.io/apimachinery/pkg/util/validation, which clients and their tests match on.
 */
export type NameValidator = (value: string) => string[];

export const dns1123LabelBytesMax = 63;
export const dns1123SubdomainBytesMax = 253;
export const labelValueBytesMax = 63;

const label = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const subdomain = `${label}(\\.${label})*`;
const dns1035 = '[a-z]([-a-z0-9]*[a-z0-9])?';
const qualified = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const configKey = '[-._a-zA-Z0-9]+';

const labelPattern = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/;
const dns1035Pattern = /^[a-z](?:[-a-z0-9]*[a-z0-9])?$/;
const qualifiedPattern = /^(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const configKeyPattern = /^[-._a-zA-Z0-9]+$/;

function regexText(message: string, pattern: string, ...examples: string[]): string {
  if (examples.length === 0) return `${message} (regex used for validation is '${pattern}')`;
  const list = examples.map((example) => `'${example}', `).join(' or ');
  return `${message} (e.g. ${list}regex used for validation is '${pattern}')`;
}

const labelText = regexText(
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
  label,
  'my-name',
  '123-abc',
);
const subdomainText = regexText(
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
  subdomain,
  'example.com',
);
const dns1035Text = regexText(
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
  dns1035,
  'my-name',
  'abc-123',
);
const qualifiedRule =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
const qualifiedText = regexText(qualifiedRule, qualified, 'MyName', 'my.name', '123-abc');
const labelValueText = regexText(
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  `(${qualified})?`,
  'MyValue',
  'my_value',
  '12345',
);
const configKeyText = regexText(
  "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
  configKey,
  'key.name',
  'KEY_NAME',
  'key-name',
);

/** Of labels; of names, Kubernetes 1.36 says characters and counts bytes too. */
function maxLengthText(bytesMax: number, unit: 'bytes' | 'characters' = 'bytes'): string {
  return `must be no more than ${bytesMax} ${unit}`;
}

/** Length in UTF-8 bytes, as Go counts it; exact and cheap for the ASCII that names are made of. */
function tooLong(value: string, bytesMax: number): boolean {
  return value.length > bytesMax || (value.length * 3 > bytesMax && Buffer.byteLength(value) > bytesMax);
}

/** RFC 1123 label: namespaces, services, CRD names. */
export function dns1123Label(value: string): string[] {
  const errors: string[] = [];
  if (tooLong(value, dns1123LabelBytesMax)) errors.push(maxLengthText(dns1123LabelBytesMax, 'characters'));
  if (!labelPattern.test(value)) {
    errors.push(isSubdomainShaped(value) ? 'must not contain dots' : labelText);
  }
  return errors;
}

/** Each part is matched on its own: one expression for all would be quadratic on hostile input. */
function isSubdomainShaped(value: string): boolean {
  if (labelPattern.test(value)) return true;
  if (!value.includes('.')) return false;
  return value.split('.').every((part) => labelPattern.test(part));
}

/** RFC 1123 subdomain: most object names. */
export function dns1123Subdomain(value: string): string[] {
  const errors: string[] = [];
  if (tooLong(value, dns1123SubdomainBytesMax))
    errors.push(maxLengthText(dns1123SubdomainBytesMax, 'characters'));
  if (!isSubdomainShaped(value)) errors.push(subdomainText);
  return errors;
}

/** RFC 1035 label: names of Services, CRD kinds (lower-cased). */
export function dns1035Label(value: string): string[] {
  const errors: string[] = [];
  if (tooLong(value, dns1123LabelBytesMax)) errors.push(maxLengthText(dns1123LabelBytesMax, 'characters'));
  if (!dns1035Pattern.test(value)) errors.push(dns1035Text);
  return errors;
}

/** A wildcard (`*.example.com`) RFC 1123 subdomain: Ingress hosts. */
export function wildcardDns1123Subdomain(value: string): string[] {
  const errors: string[] = [];
  if (tooLong(value, dns1123SubdomainBytesMax))
    errors.push(maxLengthText(dns1123SubdomainBytesMax, 'characters'));
  if (!value.startsWith('*.') || !isSubdomainShaped(value.slice(2))) {
    errors.push(
      regexText(
        "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
        `\\*\\.${subdomain}`,
        '*.example.com',
      ),
    );
  }
  return errors;
}

/** Label keys repeat: so many that were found right are remembered, then they are found anew. */
const rightKeysMax = 1_024;
const rightKeys = new Set<string>();

/** A qualified name: label keys, annotation keys (lower-cased first), finalizers. What is wrong with it. */
export function labelKey(value: string): string[] {
  if (rightKeys.has(value)) return [];
  const errors = labelKeyErrors(value);
  if (errors.length > 0) return errors;
  if (rightKeys.size === rightKeysMax) rightKeys.clear();
  rightKeys.add(value);
  return errors;
}

function labelKeyErrors(value: string): string[] {
  const slash = value.indexOf('/');
  const errors: string[] = [];
  let name = value;
  if (slash >= 0) {
    if (value.indexOf('/', slash + 1) >= 0) {
      return [
        `a valid label key ${qualifiedText} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
      ];
    }
    const prefix = value.slice(0, slash);
    name = value.slice(slash + 1);
    if (prefix === '') errors.push('prefix part must be non-empty');
    else for (const error of dns1123Subdomain(prefix)) errors.push(`prefix part ${error}`);
  }
  if (name === '') errors.push('name part must be non-empty');
  else if (tooLong(name, labelValueBytesMax)) errors.push(`name part ${maxLengthText(labelValueBytesMax)}`);
  if (!qualifiedPattern.test(name)) errors.push(`name part ${qualifiedText}`);
  return errors;
}

export function labelValue(value: string): string[] {
  if (value === '') return [];
  const errors: string[] = [];
  if (tooLong(value, labelValueBytesMax)) errors.push(maxLengthText(labelValueBytesMax));
  if (!qualifiedPattern.test(value)) errors.push(labelValueText);
  return errors;
}

/** What may stand between two slashes of a URL: RBAC names (KUBERNETES.md O4). */
export function pathSegmentName(value: string): string[] {
  if (value === '.' || value === '..') return [`may not be '${value}'`];
  const errors: string[] = [];
  if (value.includes('/')) errors.push("may not contain '/'");
  if (value.includes('%')) errors.push("may not contain '%'");
  return errors;
}

/** Environment variable names under the relaxed rule (KEP-4369, GA in 1.34). */
export function envVarName(value: string): string[] {
  if (value === '') return ['environment variable name must be non-empty'];
  return isEnvVarName(value)
    ? []
    : ["a valid environment variable name must consist only of printable ASCII characters other than '='"];
}

/** Whether `envVarName` finds nothing. */
export function isEnvVarName(value: string): boolean {
  return envVarPattern.test(value);
}

const envVarPattern = /^[\x20-\x3c\x3e-\x7e]+$/;

/** Keys of ConfigMap and Secret data. */
export function configMapKey(value: string): string[] {
  const errors: string[] = [];
  if (tooLong(value, dns1123SubdomainBytesMax))
    errors.push(maxLengthText(dns1123SubdomainBytesMax, 'characters'));
  if (!configKeyPattern.test(value)) errors.push(configKeyText);
  if (value === '.' || value === '..') errors.push(`may not be '${value}'`);
  else if (value.startsWith('..')) errors.push("may not start with '..'");
  return errors;
}

/** IANA service names, as container port names are. */
export function portName(value: string): string[] {
  const errors: string[] = [];
  if (value.length > 15) errors.push('must be no more than 15 characters');
  if (!/^[-a-z0-9]+$/.test(value)) {
    errors.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)');
  }
  if (!/[a-z]/.test(value)) errors.push('must contain at least one letter (a-z)');
  if (value.includes('--')) errors.push('must not contain consecutive hyphens');
  if (value.startsWith('-') || value.endsWith('-')) errors.push('must not begin or end with a hyphen');
  return errors;
}

export function portNumber(value: number): string[] {
  return Number.isInteger(value) && value >= 1 && value <= 65535
    ? []
    : ['must be between 1 and 65535, inclusive'];
}

const suffixAlphabet = 'bcdfghjklmnpqrstvwxz2456789';
const suffixLength = 5;
const generatedBaseLengthMax = 58;
const pool = new RandomPool(1024);

/** Five characters of Kubernetes' vowel-less alphabet, unbiased (KUBERNETES.md C2). */
export function generateNameSuffix(): string {
  let suffix = '';
  while (suffix.length < suffixLength) {
    const byte = pool.next();
    // 243 = 9 * 27: higher bytes would favour the alphabet's head.
    if (byte < 243) suffix += suffixAlphabet[byte % 27];
  }
  return suffix;
}

/** The base cut to 58 characters plus a random suffix (KUBERNETES.md C2). */
export function generateName(base: string): string {
  return base.slice(0, generatedBaseLengthMax) + generateNameSuffix();
}
