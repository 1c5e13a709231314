import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { issueClientCertificate, type ServerPki } from '#apiserver/pki/pki.ts';
import { temporaryFolder } from './processes.ts';
import { createTestPki } from './test-pki.ts';

const name = 'front-proxy-client';

/** What a kube-apiserver shows itself by to the API servers behind its APIServices; flags name its files. */
export class FrontProxy implements AsyncDisposable {
  readonly #folder: Awaited<ReturnType<typeof temporaryFolder>>;
  #pki: ServerPki;

  private constructor(folder: Awaited<ReturnType<typeof temporaryFolder>>, pki: ServerPki) {
    this.#folder = folder;
    this.#pki = pki;
  }

  static async make(): Promise<FrontProxy> {
    const made = new FrontProxy(await temporaryFolder(), await createTestPki());
    await made.#writeAuthorities([made.authorityPem]);
    await made.#writeCertificate();
    return made;
  }

  /** A file of several authorities. */
  static async fileOf(authorities: readonly string[]): Promise<{ readonly path: string } & AsyncDisposable> {
    const folder = await temporaryFolder();
    const file = path.join(folder.path, 'ca.crt');
    await writeFile(file, authorities.join(''));
    return { path: file, [Symbol.asyncDispose]: async () => folder[Symbol.asyncDispose]() };
  }

  /** Of the certificate that is shown from now on. */
  get authorityPem(): string {
    return this.#pki.ca.certificatePem;
  }

  get flags(): readonly string[] {
    return [
      `--requestheader-client-ca-file=${this.#file('ca.crt')}`,
      `--requestheader-allowed-names=${name}`,
      '--requestheader-username-headers=X-Remote-User',
      '--requestheader-uid-headers=X-Remote-Uid',
      '--requestheader-group-headers=X-Remote-Group',
      '--requestheader-extra-headers-prefix=X-Remote-Extra-',
      `--proxy-client-cert-file=${this.#file('proxy.crt')}`,
      `--proxy-client-key-file=${this.#file('proxy.key')}`,
    ];
  }

  /** Another authority, first beside the old one; kube-apiserver reads its files again by itself. */
  async announceAuthority(): Promise<void> {
    const old = this.authorityPem;
    this.#pki = await createTestPki();
    await this.#writeAuthorities([old, this.authorityPem]);
  }

  /** All but the newest. */
  async forgetAuthorities(): Promise<void> {
    await this.#writeAuthorities([this.authorityPem]);
  }

  /** Shows a certificate of the newest authority. */
  async useAuthority(): Promise<void> {
    await this.#writeCertificate();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#folder[Symbol.asyncDispose]();
  }

  #file(base: string): string {
    return path.join(this.#folder.path, base);
  }

  #writeAuthorities(authorities: readonly string[]): Promise<void> {
    return writeFile(this.#file('ca.crt'), authorities.join(''));
  }

  async #writeCertificate(): Promise<void> {
    const pair = issueClientCertificate(this.#pki.ca, { commonName: name, organizations: [], days: 1 });
    await writeFile(this.#file('proxy.key'), pair.keyPem, { mode: 0o600 });
    await writeFile(this.#file('proxy.crt'), pair.certificatePem);
  }
}
