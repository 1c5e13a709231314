import { setTimeout } from 'node:timers/promises';
import { Command } from 'commander';
import { conditionOf } from '#api/conditions.ts';
import { type Cell, cellsGvr } from '#api/federation/cell.ts';
import { cellsWorkspacePath, federationGroup, federationVersion } from '#api/federation/group.ts';
import { validateWorkspaceName } from '#api/tenancy/names.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import { expiredAt } from '#client/certificate-expiry.ts';
import type { KubeClient } from '#client/client.ts';
import { readControlPlane } from '#client/control-plane.ts';
import type { ServerConnection } from '#client/remote/connection.ts';
import {
  type Claim,
  claimName,
  claimNamespace,
  readClaim,
  refuseOwn,
  releaseClaim,
} from '#federator/edge/edge-claim.ts';
import { edgeProblemOf } from '#federator/edge/edge-problem.ts';
import { cellSecretRef, putCellCredentials, removeCellCredentials } from '../cell-credentials.ts';
import {
  type ConnectSettings,
  connect,
  kubeconfigConnection,
  withFederationClient,
  withKubeconfig,
} from '../connect.ts';
import { createEdgeAccount, removeEdgeAccount } from '../edge-account.ts';
import { claimantOf, takeClaimOver } from '../edge-claimant.ts';
import { UsageError } from '../run-command.ts';
import { parseLabels, parseList, parseName, timeoutOption, withConfigFile } from '../settings.ts';

interface JoinSettings extends ConnectSettings {
  readonly edgeKubeconfig: string;
  readonly edgeContext?: string;
  readonly serviceAccount?: string | boolean;
  readonly apiGroups?: readonly string[];
  readonly allowPrivileged?: boolean;
  readonly takeOver?: boolean;
  readonly apiEndpoint?: string;
  readonly labels?: { readonly [key: string]: string };
  readonly pop?: string;
  readonly region?: string;
  readonly federator?: string;
  readonly watchNodes?: boolean;
}

const fieldManager = 'cellplane-join';
const defaultAccount = 'cellplane-system/cellplane-federator';
const edgeTimeoutMs = 60_000;
const goneLookEveryMs = 200;
/** Of each question asked to try the edge. */
const trialTimeoutMs = 10_000;

export function joinCommand(): Command {
  const command = new Command('join')
    .description('register an edge API server as a cell; its credentials go into a Secret of root:cells')
    .argument('<name>', 'name of the cell', parseName(validateWorkspaceName))
    .requiredOption('--edge-kubeconfig <file>', 'kubeconfig of the edge API server')
    .option('--edge-context <name>', 'context of that kubeconfig')
    .option(
      '--service-account [namespace/name]',
      `make a service account at the edge with what a federator needs there, and use its token rather than the kubeconfig's credentials (default name: ${defaultAccount})`,
    )
    .option(
      '--api-groups <groups>',
      'groups of CRDs that projects may bring (Cell.spec.apis.groups), also for its role',
      parseList,
    )
    .option('--allow-privileged', 'kinds that grant authority, for its role (Cell.spec.allow.kinds)')
    .option(
      '--watch-nodes',
      'tell what is free at the edge by its nodes and pods, though another controller does (Cell.spec.watchNodes); default: unless another does',
    )
    .option('--no-watch-nodes', 'leave that to others (Cell.spec.watchNodes); nor for its role')
    .option('--take-over', 'take the edge away from the cell that it belongs to')
    .option(
      '--api-endpoint <url>',
      'URL by which the federator reaches the edge (default: that of the kubeconfig)',
    )
    .option('--labels <labels>', 'labels of the Cell, key=value,…', parseLabels)
    .option('--pop <name>', 'point of presence')
    .option('--region <name>', 'region')
    .option('--federator <name>', 'federator that the cell is pinned to (default: any)')
    .action(async (name: string, settings: JoinSettings) => {
      const given = await kubeconfigConnection(settings.edgeKubeconfig, settings.edgeContext);
      if (given.insecureSkipTlsVerify === true)
        process.stderr.write(
          'the edge’s certificate is not verified, as the kubeconfig says: for trials alone\n',
        );
      await withFederationClient(settings, async (federationClient) => {
        // Who cannot register the cell leaves nothing at the edge.
        await findCell(federationClient, name);
        await withEdge(given, async (edgeClient) => {
          const signal = AbortSignal.timeout(edgeTimeoutMs);
          const claim = await tryEdge(given, edgeClient, settings, signal);
          const { controlPlaneId } = await readControlPlane(federationClient, signal);
          await refuseOwn(edgeClient, controlPlaneId, signal).catch((error: Error) => {
            throw new UsageError(`the edge API server ${given.server}: ${error.message}`);
          });
          const claimant = await claimantOf(claim, { federationClient, controlPlaneId }, name, signal);
          if (claimant.kind === 'other' && settings.takeOver !== true)
            throw claimedByAnother(given, claimant.claim);
          if (claimant.kind === 'former') await releaseClaim(edgeClient, claimant.claim, signal);
          const edge = await credentialsFor(edgeClient, given, settings, signal);
          await putCellCredentials(federationClient, name, edge, fieldManager);
          await putCell(federationClient, name, edge, settings);
          if (claimant.kind === 'other') {
            await takeClaimOver({ edgeClient, federationClient }, claimant, name, signal);
          }
        });
        process.stdout.write(`cell ${name} joined: workspace ${cellsWorkspacePath}:${name}\n`);
      });
    });
  return withConfigFile(withKubeconfig(command));
}

/** Whatever the edge is reached with, it is tried: a wrong address or certificate is told now. Returns whose it is. */
async function tryEdge(
  { server, certificatePem }: ServerConnection,
  edgeClient: KubeClient,
  { edgeKubeconfig }: JoinSettings,
  signal: AbortSignal,
): Promise<Claim | undefined> {
  const options = { timeoutMs: trialTimeoutMs, signal };
  try {
    await edgeClient.raw({ cluster: undefined, method: 'GET', path: '/version' }, options);
    return await readClaim(edgeClient, options);
  } catch (error) {
    const { reached, reason, message } = edgeProblemOf(error);
    if (!reached) throw error; // it names the edge
    const expired = expiredAt(certificatePem, Date.now());
    const why =
      reason === 'Unauthorized'
        ? `does not accept the credentials of ${edgeKubeconfig}${expired === undefined ? '' : `: its client certificate expired at ${expired}`}`
        : `refuses: ${message}`;
    throw new UsageError(`the edge API server ${server} ${why}`);
  }
}

function claimedByAnother({ server }: ServerConnection, { cellName, controlPlaneId }: Claim): UsageError {
  return new UsageError(
    `the edge API server ${server} belongs to cell ${cellName} of control plane ${controlPlaneId} (ConfigMap ${claimNamespace}/${claimName} there); unjoin that one first, or --take-over takes it away: what that one brought there stays, and nobody follows it`,
  );
}

/** What the cell is reached with: what was given, or an account of its own. */
async function credentialsFor(
  edgeClient: KubeClient,
  given: ServerConnection,
  { serviceAccount, apiGroups = [], allowPrivileged = false, watchNodes = true }: JoinSettings,
  signal: AbortSignal,
): Promise<ServerConnection> {
  if (serviceAccount === undefined || serviceAccount === false) return given;
  const { token, expires } = await createEdgeAccount(
    edgeClient,
    { ...accountOf(serviceAccount), apiGroups, allowPrivileged, watchNodes },
    signal,
  );
  if (expires !== undefined) process.stderr.write(`the token expires at ${expires}; join again before\n`);
  const { certificatePem: _certificate, keyPem: _key, tokenFile: _file, ...others } = given;
  const connection = { ...others, token };
  await withEdge(connection, (asAccount) =>
    asAccount.raw({ cluster: undefined, method: 'GET', path: '/api' }, { timeoutMs: trialTimeoutMs, signal }),
  );
  return connection;
}

async function putCell(
  federationClient: KubeClient,
  name: string,
  edge: ServerConnection,
  { apiEndpoint, apiGroups = [], labels, pop, region, federator, watchNodes }: JoinSettings,
): Promise<void> {
  await federationClient.apply(
    { cluster: cellsWorkspacePath, gvr: cellsGvr, name },
    {
      apiVersion: `${federationGroup}/${federationVersion}`,
      kind: 'Cell',
      metadata: { name, ...(labels === undefined ? {} : { labels: { ...labels } }) },
      spec: {
        apiEndpoint: apiEndpoint ?? edge.server,
        secretRef: cellSecretRef(name),
        ...(edge.proxyUrl === undefined ? {} : { proxyURL: edge.proxyUrl }),
        ...(apiGroups.length === 0 ? {} : { apis: { groups: [...apiGroups] } }),
        ...(pop === undefined ? {} : { pop }),
        ...(region === undefined ? {} : { region }),
        ...(federator === undefined ? {} : { federator: { name: federator } }),
        ...(watchNodes === undefined ? {} : { watchNodes }),
      },
    },
    { fieldManager, force: true },
  );
}

interface UnjoinSettings extends ConnectSettings {
  readonly orphan?: boolean;
  /** Milliseconds. */
  readonly timeout: number;
  readonly edgeKubeconfig?: string;
  readonly edgeContext?: string;
  readonly serviceAccount?: string | boolean;
}

export function unjoinCommand(): Command {
  const command = new Command('unjoin')
    .description('forget a cell: everything that was synced is withdrawn from its edge first')
    .argument('<name>', 'name of the cell')
    .option('--orphan', 'leave at the edge what stands there')
    .addOption(timeoutOption('how long to wait for it to be gone', '2m'))
    .option('--edge-kubeconfig <file>', 'kubeconfig of the edge, to take the service account away')
    .option('--edge-context <name>', 'context of that kubeconfig')
    .option('--service-account [namespace/name]', `the account that join made (default: ${defaultAccount})`)
    .action(async (name: string, settings: UnjoinSettings) => {
      await withFederationClient(settings, async (federationClient) => {
        await unjoin(federationClient, name, settings);
        await removeCellCredentials(federationClient, name);
      });
      if (settings.edgeKubeconfig !== undefined) {
        const edge = await kubeconfigConnection(settings.edgeKubeconfig, settings.edgeContext);
        const account = accountOf(settings.serviceAccount ?? true);
        await withEdge(edge, (edgeClient) =>
          removeEdgeAccount(edgeClient, account, AbortSignal.timeout(edgeTimeoutMs)),
        );
      }
      process.stdout.write(`cell ${name} is gone\n`);
    });
  return withConfigFile(withKubeconfig(command));
}

/** Deletes the Cell with the wanted policy and waits for its end. Throws UsageError when that takes too long. */
async function unjoin(
  federationClient: KubeClient,
  name: string,
  { orphan, timeout }: UnjoinSettings,
): Promise<void> {
  const ref = { cluster: cellsWorkspacePath, gvr: cellsGvr, name };
  const { metadata } = await federationClient.get(ref);
  const { uid } = metadata;
  await federationClient.patch(
    ref,
    {
      type: 'merge',
      body: { metadata: { uid }, spec: { deletionPolicy: orphan === true ? 'Orphan' : 'Withdraw' } },
    },
    { fieldManager },
  );
  await federationClient.delete(ref, { preconditions: { uid } });
  const endMs = performance.now() + timeout;
  for (;;) {
    const cell = await findCell(federationClient, name);
    if (cell === undefined || cell.metadata.uid !== uid) return;
    if (performance.now() > endMs) {
      const { status, reason, message } = conditionOf(cell.status?.conditions, 'Ready') ?? {};
      const left = conditionOf(cell.status?.conditions, 'Withdrawing')?.message ?? '';
      const why =
        status === 'True'
          ? left === ''
            ? ''
            : `; ${left}`
          : `; Ready is ${status ?? 'Unknown'}: ${reason}: ${message}`;
      throw new UsageError(
        `cell ${name} is still being removed${why}; --orphan would let it go and leave its edge as it is`,
      );
    }
    await setTimeout(goneLookEveryMs);
  }
}

async function findCell(federationClient: KubeClient, name: string): Promise<Cell | undefined> {
  try {
    return (await federationClient.get({ cluster: cellsWorkspacePath, gvr: cellsGvr, name })) as Cell;
  } catch (error) {
    if (isApiError(error, 'NotFound')) return undefined;
    throw error;
  }
}

async function withEdge<T>(edge: ServerConnection, run: (edgeClient: KubeClient) => Promise<T>): Promise<T> {
  const edgeClient = connect(edge, 'cli');
  try {
    return await run(edgeClient);
  } finally {
    await edgeClient.close();
  }
}

function accountOf(given: string | boolean): { readonly namespace: string; readonly name: string } {
  const [namespace = '', name = '', ...more] = (typeof given === 'string' ? given : defaultAccount).split(
    '/',
  );
  if (namespace === '' || name === '' || more.length > 0) {
    throw new UsageError('--service-account must be namespace/name');
  }
  return { namespace, name };
}
