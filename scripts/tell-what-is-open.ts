// Preloaded into every test process of `npm test`: a suite that does not end is asked by SIGUSR2 what keeps it.
process.on('SIGUSR2', () => {
  const counts = new Map<string, number>();
  for (const resource of process.getActiveResourcesInfo())
    counts.set(resource, (counts.get(resource) ?? 0) + 1);
  const told = [...counts].map(([resource, count]) => `${count} ${resource}`).join(', ');
  console.error(`still open: ${told}`);
});
