// Child process: as many edge API servers as its argument says, in memory. Tells its parent where they listen and how.
import { silentLogger } from '#client/logger.ts';
import { InProcessServer } from '../harness/in-process-server.ts';
import { adminConnectionTo, createTestPki } from '../harness/test-pki.ts';

const pki = await createTestPki();
const servers = Array.from(
  { length: Number(process.argv[2]) },
  () => new InProcessServer({ mode: 'edge', pki, logger: silentLogger }),
);
for (const server of servers) await server.start();
const admin = adminConnectionTo(pki, 'https://127.0.0.1');
process.send?.(servers.map(({ url }) => ({ ...admin, server: url })));
process.once('disconnect', () => process.exit());
