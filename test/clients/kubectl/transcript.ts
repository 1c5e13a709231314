/** One command line of a transcript with what it must print. */
export interface Step {
  /** kubectl versions for which it is run (`1.27-1.29`, `1.30+`); undefined: every one. */
  readonly versions: string | undefined;
  /** Shell command line, with the lines of its here-documents. */
  readonly command: string;
  /** Standard output, then standard error, then `[exit N]` where that is not 0; normalised. */
  readonly want: string;
  /** Line of the file that the step starts on, from 1. */
  readonly line: number;
}

/** A comment or empty lines between steps, kept for writing the file anew. */
export type Part = Step | string;

const commandLine = /^\$ (?:\[(?<versions>[\d.+-]+)\] )?(?<command>.*)$/;

/**
 * The parts of a transcript: `$ command` (with an optional range of versions in brackets), continued by lines that start
 * with `> `, then what it prints. A line that starts with `# ` outside of a step's output is a comment; an empty line
 * ends a step, for empty lines of output are left out: they differ between versions of kubectl.
 */
export function parseTranscript(text: string): Part[] {
  const parts: Part[] = [];
  const lines = text.split('\n');
  for (let index = 0; index < lines.length; ) {
    const line = index + 1;
    const match = commandLine.exec(lines[index] ?? '');
    if (match?.groups === undefined) {
      parts.push(lines[index++] ?? '');
      continue;
    }
    const command = [match.groups['command'] ?? ''];
    for (index++; lines[index]?.startsWith('> '); index++) command.push((lines[index] ?? '').slice(2));
    const want: string[] = [];
    for (; index < lines.length && lines[index] !== ''; index++) want.push(lines[index] ?? '');
    parts.push({
      versions: match.groups['versions'],
      command: command.join('\n'),
      want: want.join('\n'),
      line,
    });
  }
  return parts;
}

export function formatTranscript(parts: readonly Part[]): string {
  return parts.map((part) => (typeof part === 'string' ? part : formatStep(part))).join('\n');
}

function formatStep({ versions, command, want }: Step): string {
  const [first, ...rest] = command.split('\n');
  const lines = [
    `$ ${versions === undefined ? '' : `[${versions}] `}${first}`,
    ...rest.map((one) => `> ${one}`),
  ];
  if (want !== '') lines.push(want);
  return lines.join('\n');
}

/** Whether the kubectl version (`1.31`) lies in the range (`1.31`, `1.27-1.30`, `1.32+`). */
export function appliesTo(versions: string | undefined, version: string): boolean {
  if (versions === undefined) return true;
  const [from, to] = versions.replace(/\+$/, '-1.999').split('-');
  const minor = (text: string | undefined) => Number(text?.split('.')[1]);
  return minor(version) >= minor(from) && minor(version) <= minor(to ?? from);
}

const replacements: readonly (readonly [RegExp, string])[] = [
  [/\/clusters\/root:[\w:-]+/g, '<workspace>'],
  [/https:\/\/127\.0\.0\.1:\d+<workspace>/g, '<server>'],
  [/https:\/\/127\.0\.0\.1:\d+/g, '<address>'],
  [/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '<uid>'],
  [/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( \+0000|Z)?/g, '<time>'],
  [/[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}/g, '<time>'],
  [/(resourceVersion: )"\d+"/g, '$1<revision>'],
  [/(Resource Version: +)\d+/g, '$1<revision>'],
  [/("resourceVersion": ?)"\d+"/g, '$1<revision>'],
  [/eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+/g, '<token>'],
  [/\/\S*\/(LIVE|MERGED)-\d+/g, '<$1>'],
  [/(kcp\.io\/cluster"?: ?)"?[a-z0-9]+"?/g, '$1<cluster>'],
  [/X509SHA256=[0-9a-f]{64}/g, 'X509SHA256=<hash>'],
  [/(authentication\.kcp\.io\/cluster-name +)\[\w+\]/g, '$1[<cluster>]'],
  [/\b10\.(?!96\.0\.1\b)\d{1,3}\.\d{1,3}\.\d{1,3}/g, '<ip>'],
  [/(<ip>|10\.96\.0\.1|CLUSTER-IP) {2,}/g, '$1  '],
  // kubectl 1.34 names the namespace of what it deletes.
  [/(?<= deleted) from \S+ namespace\b/g, ''],
  // Ages, and the padding that depends on how many digits they have.
  [/<invalid>/g, '0s'],
  [/(?<=^|[ (])(?:\d{1,3}(?:m\d+)?s|[2-9]m)(?=$| {2,}|\)| \()( *)/gm, '<age>$1'],
  [/(?<=<age>\)?) {2,}/g, '  '],
  [/\b(AGE|LAST SEEN) {2,}/g, '$1  '],
  [/[ \t]+$/gm, ''],
];

/** What a command printed, without empty lines, and with everything replaced that differs from run to run. */
export function normalise(output: string): string {
  return replacements
    .reduce((text, [pattern, by]) => text.replace(pattern, by), output)
    .replace(/\n+/g, '\n')
    .replace(/^\n|\n$/g, '');
}
