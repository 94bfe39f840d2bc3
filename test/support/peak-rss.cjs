'use strict';

const { existsSync, readFileSync } = require('node:fs');

const status = '/proc/self/status';

/**
 * The most memory, in bytes, that this process has held since it became Node. `maxRSS` begins with what the process held that
 * started it (Linux, fs/exec.c, exec_mmap), so whatever is smaller than a large parent would be as large.
 */
exports.peakRssBytes = () => {
  const [, kilobytes] = (existsSync(status) && /^VmHWM:\s+(\d+) kB$/mu.exec(readFileSync(status, 'utf8'))) || [];
  return (kilobytes === undefined ? process.resourceUsage().maxRSS : Number(kilobytes)) * 1024;
};
