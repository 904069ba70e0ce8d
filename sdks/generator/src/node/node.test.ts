/** What the Node emitters write, as a whole, for a small contract. */
import { describe, expect, test } from 'vitest';
import { modelOf } from '../testing/inline-protos.ts';
import { emitDispatch } from './emit-dispatch.ts';
import { emitNode } from './emit-node.ts';

const HEAD = `
  syntax = "proto3";
  package test.v1;
  import "gomsg/sdk/v1/options.proto";
  import "google/protobuf/duration.proto";
  import "google/protobuf/timestamp.proto";
`;

const SHELF = `${HEAD}
  // Things on shelves.
  service ShelfService {
    // Puts a thing on a shelf. Fails with INVALID_REQUEST.
    rpc Put(PutRequest) returns (PutResponse) {
      option idempotency_level = IDEMPOTENT;
      option (gomsg.sdk.v1.method) = {
        number: 1
        route: "shelf"
        faces: {
          name: "put_ttl"
          params: {field: "shelf"}
          params: {field: "thing"}
          params: {field: "ttl"}
          options: ["only_empty", "only_place", "kind", "settings.*"]
          result: {field: "place"}
        }
        faces: {
          name: "put_many"
          doc: "Puts several."
          params: {field: "things" element: "thing"}
          presets: {field: "place" json: "7"}
        }
      };
    }
    // Looks at a shelf.
    rpc Look(LookRequest) returns (LookResponse) {
      option idempotency_level = NO_SIDE_EFFECTS;
      option (gomsg.sdk.v1.method) = {
        number: 2
        faces: {
          name: "first"
          params: {field: "shelf"}
          options: ["wait"]
          result: {field: "things" element: "thing" present: "found"}
        }
        faces: {name: "look" params: {field: "shelf"} result: {field: "things" pages: true}}
      };
    }
    // Tells what comes.
    rpc Follow(FollowRequest) returns (stream FollowResponse) {
      option idempotency_level = NO_SIDE_EFFECTS;
      option (gomsg.sdk.v1.method) = {
        number: 3
        faces: {
          name: "follow"
          params: {field: "shelf"}
          options: ["since"]
          stream: {items: "things" resume: RESUME_RESTART}
        }
      };
    }
  }
  // What a thing is.
  enum Kind {
    // Not used.
    KIND_UNSPECIFIED = 0;
    // It breaks.
    KIND_FRAGILE = 1;
  }
  // How a shelf is.
  message Settings {
    // Boards.
    optional uint32 boards = 1;
  }
  message PutRequest {
    // The shelf.
    string shelf = 1;
    // The thing.
    bytes thing = 2 [(gomsg.sdk.v1.field) = {text: true}];
    // How long it stays.
    google.protobuf.Duration ttl = 3;
    oneof condition {
      // Only on an empty shelf.
      bool only_empty = 4;
      // Only at this place.
      uint64 only_place = 5;
    }
    // Its kind.
    Kind kind = 6;
    // Of the shelf.
    Settings settings = 7;
    // Several.
    repeated Thing things = 8;
    // Where.
    uint64 place = 9;
  }
  message PutResponse {
    // Where it is.
    uint64 place = 1;
  }
  message LookRequest {
    // The shelf.
    string shelf = 1;
    // How long to wait for a thing.
    google.protobuf.Duration wait = 2 [(gomsg.sdk.v1.field) = {extends_timeout: true}];
    uint32 limit = 3;
    bytes cursor = 4;
  }
  message LookResponse {
    // What is there.
    repeated Thing things = 1;
    bytes next_cursor = 2;
  }
  // A thing on a shelf.
  message Thing {
    // The thing itself.
    bytes thing = 1 [(gomsg.sdk.v1.field) = {text: true}];
    // Whether it is there.
    bool found = 2;
    // Since when.
    google.protobuf.Timestamp since = 3;
    // Its kind.
    Kind kind = 4;
  }
  message FollowRequest {
    // The shelf.
    string shelf = 1;
    // From this moment on.
    google.protobuf.Timestamp since = 2;
  }
  message FollowResponse {
    repeated Thing things = 1;
  }
`;

describe('the output for a small contract', () => {
  const model = modelOf({ 'test/v1/test.proto': SHELF });
  const files = new Map(
    [...emitNode(model), ...emitDispatch(model)].map(({ path, content }) => [path, content]),
  );

  test.each(['shelf.ts', 'types.ts', 'services.ts', 'public.ts', 'dispatch.ts'])(
    '%s is as it was',
    async (path) => {
      await expect(files.get(path)).toMatchFileSnapshot(`golden/${path}.txt`);
    },
  );
});

test('one more rpc is one more method with its docs, and one more entry of the dispatch', () => {
  const rpc = `
    // Sweeps a shelf and tells how much dust there was.
    rpc Sweep(SweepRequest) returns (SweepResponse) {
      option (gomsg.sdk.v1.method) = {
        number: 4
        faces: {name: "sweep" params: {field: "shelf"} result: {field: "dust"}}
      };
    }
    // Tells what comes.`;
  const messages = `
    message SweepRequest { string shelf = 1; }
    message SweepResponse { uint64 dust = 1; }
    // What a thing is.`;
  const text = SHELF.replace('// Tells what comes.', rpc).replace('// What a thing is.', messages);
  const model = modelOf({ 'test/v1/test.proto': text });
  const service = emitNode(model).find(({ path }) => path === 'shelf.ts')!.content;
  expect(service).toContain('Sweeps a shelf and tells how much dust there was.');
  expect(service).toContain('sweep(shelf: string, options?: CallOptions): Promise<number> {');
  expect(emitDispatch(model)[0]!.content).toContain("'shelf.sweep': {");
});
