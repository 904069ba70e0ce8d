/**
 * Makes node_modules match package-lock.json, and does nothing when it already does. Plain JavaScript, and only
 * what Node itself brings: it runs before anything is installed, on whichever Node started npm.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MIN_NODE_MAJOR = 20;

const root = dirname(dirname(fileURLToPath(import.meta.url)));

if (Number(process.versions.node.split('.')[0]) < MIN_NODE_MAJOR) {
  console.error(`gomsg needs Node ${MIN_NODE_MAJOR} or later to set itself up; this is ${process.version}.`);
  process.exit(1);
}
if (!isInstalled()) install();

/**
 * Compares versions rather than dates: a checkout touches package-lock.json without changing it. npm leaves the
 * list of what it installed in node_modules as its very last step, so an install that was cut short has none.
 */
function isInstalled() {
  const installedList = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(installedList) || !existsSync(join(root, 'node_modules', '.bin', 'node'))) return false;
  const wanted = readPackages(join(root, 'package-lock.json'));
  const installed = readPackages(installedList);
  return Object.entries(wanted).every(
    ([path, entry]) =>
      !path.startsWith('node_modules/') ||
      // Optional packages are builds for other machines, most of them rightly absent.
      (entry.optional && installed[path] === undefined) ||
      (installed[path]?.version === entry.version && existsSync(join(root, path, 'package.json'))),
  );
}

function readPackages(path) {
  return JSON.parse(readFileSync(path, 'utf8')).packages;
}

function install() {
  // Not `npm ci`: that refuses a lock file written where some other system's build of a tool could not be had.
  // This takes the same versions from the lock file, and --no-save leaves that file alone. Production mode would
  // leave out what builds and tests gomsg. Warnings would be about the Node that started npm, which only sets up.
  const args = ['install', '--no-save', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  const npm = process.env.npm_execpath;
  console.error('Installing what package-lock.json names …');
  const result = npm?.endsWith('.js')
    ? spawnSync(process.execPath, [npm, ...args], { cwd: root, stdio: ['ignore', 2, 2] })
    : spawnSync('npm', args, { cwd: root, stdio: ['ignore', 2, 2] });
  if (result.error) console.error(`npm could not be run: ${result.error.message}`);
  if (result.status !== 0) process.exit(result.status ?? 1);
}
