import { describe, expect, test } from 'vitest';
import { modelOf } from '../testing/inline-protos.ts';
import { folded } from './code.ts';
import { emitDispatch } from './dispatch-module.ts';
import { emitPython } from './emit-python.ts';

const PROTO = `
  syntax = "proto3";
  package test.v1;
  import "gomsg/sdk/v1/options.proto";
  import "google/protobuf/duration.proto";
  // Boxes.
  service BoxService {
    // Fills a box.
    rpc Fill(FillRequest) returns (FillResponse) {
      option idempotency_level = IDEMPOTENT;
      option (gomsg.sdk.v1.method) = {
        number: 7
        route: "box"
        faces: {
          name: "fill"
          params: {field: "box"}
          params: {field: "content"}
          options: ["ttl", "if_empty", "if_size"]
          result: {field: "previous"}
        }
      };
    }
    // Lists boxes.
    rpc List(ListRequest) returns (ListResponse) {
      option idempotency_level = NO_SIDE_EFFECTS;
      option (gomsg.sdk.v1.method) = {number: 8 faces: {name: "list" result: {field: "boxes" pages: true}}};
    }
    // Tells of boxes.
    rpc Follow(FollowRequest) returns (stream FollowResponse) {
      option idempotency_level = NO_SIDE_EFFECTS;
      option (gomsg.sdk.v1.method) = {
        number: 9
        route: "box"
        faces: {
          name: "follow"
          params: {field: "box"}
          stream: {items: "boxes" resume: RESUME_RESTART}
        }
      };
    }
  }
  // What is in a box.
  message Box {
    // Its name.
    string name = 1;
    // Its content.
    bytes content = 2 [(gomsg.sdk.v1.field) = {text: true}];
  }
  message FillRequest {
    // Which box.
    string box = 1;
    // What to put in.
    bytes content = 2 [(gomsg.sdk.v1.field) = {text: true}];
    // How long it stays.
    google.protobuf.Duration ttl = 3;
    oneof condition {
      // Only an empty one.
      bool if_empty = 4;
      // Only one of this size.
      uint64 if_size = 5;
    }
  }
  message FillResponse { bytes previous = 1 [(gomsg.sdk.v1.field) = {text: true}]; }
  message ListRequest { uint32 limit = 1; bytes cursor = 2; }
  message ListResponse { repeated Box boxes = 1; bytes next_cursor = 2; }
  message FollowRequest { string box = 1; }
  message FollowResponse { bool subscribed = 1; repeated Box boxes = 2; }
`;

const model = modelOf({ 'test/v1/test.proto': PROTO });
const files = new Map(
  [...emitPython(model), ...emitDispatch(model)].map(({ path, content }) => [path, content]),
);

describe('the generated Python package', () => {
  test('has the methods of a service, with docs, checks and converted results', async () => {
    await expect(files.get('box.py')).toMatchFileSnapshot('golden/box.py.txt');
  });

  test('has the same methods without asyncio', async () => {
    await expect(files.get('sync_box.py')).toMatchFileSnapshot('golden/sync_box.py.txt');
  });

  test('has types with text and bytes, and converters', async () => {
    const text = `${files.get('types.py')}\n\n${files.get('convert.py')}`;
    await expect(text).toMatchFileSnapshot('golden/types.py.txt');
  });

  test('knows each rpc by path, number and whether it may be repeated', () => {
    expect(files.get('rpcs.py')).toContain(
      'BOX_SERVICE_FILL = Rpc("/test.v1.BoxService/Fill", 7, is_write=True, is_idempotent=True)',
    );
    expect(files.get('rpcs.py')).toContain(
      'BOX_SERVICE_LIST = Rpc("/test.v1.BoxService/List", 8, is_write=False, is_idempotent=True)',
    );
  });

  test('is dispatched by the names of the suite', () => {
    const dispatch = files.get('dispatch.py') ?? '';
    for (const name of ['box.fill', 'box.fill_bytes', 'box.list', 'box.list_iter', 'box.follow']) {
      expect(dispatch).toContain(`"${name}": Method("box", `);
    }
  });

  test('says of every file that it is generated', () => {
    for (const [path, content] of files) {
      expect(content, path).toMatch(/^# Code generated .* DO NOT EDIT\.\n/);
    }
  });
});

describe('long lines', () => {
  const name = 'x'.repeat(60);

  test('are broken at their outermost parentheses, one argument a line', () => {
    expect(folded(`    call(${name}, inner(1, 2), ${name})`)).toEqual([
      '    call(',
      `        ${name},`,
      '        inner(1, 2),',
      `        ${name},`,
      '    )',
    ]);
  });

  test('keep commas and parentheses of strings', () => {
    expect(folded(`call("a, (b", ${name}${name})`)).toEqual([
      'call(',
      '    "a, (b",',
      `    ${name}${name},`,
      ')',
    ]);
  });
});
