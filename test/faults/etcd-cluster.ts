import { EtcdServer, limitFlags } from '../harness/etcd-server.ts';
import { freePort } from '../harness/free-port.ts';
import { until } from '../harness/until.ts';

const moveTimeoutMs = 3_000;

/** An etcd cluster of three members on loopback, and what an operator does to one. */
export class EtcdCluster {
  readonly members: readonly EtcdServer[];

  private constructor(members: readonly EtcdServer[]) {
    this.members = members;
  }

  static async start(flags: readonly string[] = []): Promise<EtcdCluster> {
    const ports = await Promise.all([freePort(), freePort(), freePort()]);
    const peers = ports.map((port) => `http://127.0.0.1:${port}`);
    const members = await Promise.all(
      peers.map((peer, index) =>
        EtcdServer.start({
          flags: [
            ...limitFlags,
            '--heartbeat-interval=50',
            '--election-timeout=500',
            `--name=member-${index}`,
            `--listen-peer-urls=${peer}`,
            `--initial-advertise-peer-urls=${peer}`,
            `--initial-cluster=${peers.map((url, at) => `member-${at}=${url}`).join(',')}`,
            ...flags,
          ],
        }),
      ),
    );
    return new EtcdCluster(members);
  }

  get endpoints(): string[] {
    return this.members.map(({ endpoint }) => endpoint);
  }

  /** One of etcd's own calls, through its HTTP gateway. */
  async call(
    member: number,
    path: string,
    body: object,
    timeoutMs = 60_000,
  ): Promise<{ readonly [name: string]: unknown }> {
    const endpoint = this.members[member]?.endpoint ?? '';
    const response = await fetch(`${endpoint}/v3/${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(timeoutMs),
    });
    const answer = (await response.json()) as { readonly [name: string]: unknown };
    if (!response.ok) throw new Error(`etcd ${path}: ${JSON.stringify(answer)}`);
    return answer;
  }

  /** Index of the member that leads, as it says itself; undefined while none does. */
  async leader(): Promise<number | undefined> {
    const leads = await Promise.all(this.members.map((_, member) => this.#leads(member)));
    const found = leads.indexOf(true);
    return found < 0 ? undefined : found;
  }

  /** The leader hands over to another member, which is returned. One that does not answer in time is asked again. */
  async moveLeader(): Promise<number> {
    const first = await this.#anyLeader();
    const { leader } = await until('another member leads', async () => {
      const from = await this.#anyLeader();
      if (from.leader !== first.leader) return from;
      const to = (from.leader + 1) % this.members.length;
      const { header } = await this.call(to, 'maintenance/status', {}, moveTimeoutMs);
      const targetID = (header as { readonly member_id: string }).member_id;
      await this.call(from.leader, 'maintenance/transfer-leadership', { targetID }, moveTimeoutMs);
      return { leader: to };
    });
    return leader;
  }

  #anyLeader(): Promise<{ readonly leader: number }> {
    return until('a leader', async () => {
      const leader = await this.leader();
      return leader === undefined ? undefined : { leader };
    });
  }

  /** Through this member. `revision`: default the newest that it knows. */
  async compact(member: number, revision?: string): Promise<void> {
    const { header } = await this.call(member, 'maintenance/status', {});
    const newest = (header as { readonly revision: string }).revision;
    await this.call(member, 'kv/compaction', { revision: revision ?? newest, physical: true });
  }

  async keys(): Promise<string[]> {
    const all = { key: 'AA==', range_end: 'AA==', keys_only: true };
    const { kvs } = await this.call(0, 'kv/range', all);
    return ((kvs ?? []) as readonly { readonly key: string }[]).map(({ key }) =>
      Buffer.from(key, 'base64').toString(),
    );
  }

  async delete(key: string): Promise<void> {
    await this.call(0, 'kv/deleterange', { key: Buffer.from(key).toString('base64') });
  }

  /** What etcd's manual says to do after its space was exceeded. */
  async makeSpace(): Promise<void> {
    await this.compact(0);
    for (const member of this.members.keys()) await this.call(member, 'maintenance/defragment', {});
    await this.call(0, 'maintenance/alarm', { action: 'DEACTIVATE', memberID: '0', alarm: 'NOSPACE' });
    for (const alarm of await this.#alarms()) {
      await this.call(0, 'maintenance/alarm', { action: 'DEACTIVATE', ...alarm });
    }
  }

  /** Whether a member says that its space was exceeded. */
  async isFull(): Promise<boolean> {
    return (await this.#alarms()).some(({ alarm }) => alarm === 'NOSPACE');
  }

  async dispose(): Promise<void> {
    await Promise.all(this.members.map((member) => member.dispose()));
  }

  async #alarms(): Promise<readonly { readonly memberID: string; readonly alarm?: string }[]> {
    const all = { action: 'GET', memberID: '0', alarm: 'NONE' };
    const { alarms } = await this.call(0, 'maintenance/alarm', all);
    return (alarms ?? []) as readonly { readonly memberID: string; readonly alarm?: string }[];
  }

  async #leads(member: number): Promise<boolean> {
    try {
      const { header, leader } = await this.call(member, 'maintenance/status', {});
      return (header as { readonly member_id: string }).member_id === leader;
    } catch {
      return false;
    }
  }
}
