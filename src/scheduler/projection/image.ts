/** An image reference in its parts: `registry/repository:tag@digest`. */
export interface ImageParts {
  readonly registry: string;
  readonly repository: string;
  /** With its separator: `:1.2` or `@sha256:…`; empty when there is none. */
  readonly version: string;
}

/**
 * Takes an image reference apart as container tools do: the first segment is a registry when it holds `.` or `:`, or is
 * `localhost`.
 */
export function parseImage(text: string): ImageParts {
  const slash = text.indexOf('/');
  const first = slash < 0 ? '' : text.slice(0, slash);
  const hasRegistry = first !== '' && (first.includes('.') || first.includes(':') || first === 'localhost');
  const rest = hasRegistry ? text.slice(slash + 1) : text;
  const at = rest.indexOf('@');
  const colon = (at < 0 ? rest : rest.slice(0, at)).lastIndexOf(':');
  const end = colon >= 0 && !rest.slice(colon).includes('/') ? colon : at >= 0 ? at : rest.length;
  return { registry: hasRegistry ? first : '', repository: rest.slice(0, end), version: rest.slice(end) };
}

export function formatImage({ registry, repository, version }: ImageParts): string {
  return `${registry === '' ? '' : `${registry}/`}${repository}${version}`;
}

export type ImageComponent = 'Registry' | 'Repository' | 'Tag';
export type ImageOperator = 'add' | 'remove' | 'replace';

/** Karmada's image overrider: `add` appends to the part, `replace` sets it, `remove` empties it. Tag includes a digest. */
export function overrideImage(
  image: string,
  component: ImageComponent,
  operator: ImageOperator,
  value = '',
): string {
  const parts = parseImage(image);
  const revise = (old: string): string => {
    if (operator === 'remove') return '';
    return operator === 'add' ? old + value : value;
  };
  if (component === 'Registry') return formatImage({ ...parts, registry: revise(parts.registry) });
  if (component === 'Repository') return formatImage({ ...parts, repository: revise(parts.repository) });
  const version = revise(parts.version.replace(/^[:@]/, ''));
  const separator = version.startsWith('sha256:') ? '@' : ':';
  return formatImage({ ...parts, version: version === '' ? '' : `${separator}${version}` });
}
