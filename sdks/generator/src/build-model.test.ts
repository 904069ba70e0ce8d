import { describe, expect, test } from 'vitest';
import { ModelError, methodNames } from './build-model.ts';
import { emitGo } from './go/emit-go.ts';
import type { FaceModel, SdkModel } from './model.ts';
import { gomsgModel, modelOf } from './testing/inline-protos.ts';

const HEAD = `
  syntax = "proto3";
  package test.v1;
  import "gomsg/sdk/v1/options.proto";
  import "google/protobuf/duration.proto";
`;

/** The model of a service with one rpc whose method options are given. */
function modelWith(
  options: string,
  messages = 'message AskRequest { string name = 1; } message AskResponse {}',
): SdkModel {
  return modelOf({
    'test/v1/test.proto': `${HEAD}
      // Answers.
      service TestService {
        // Asks.
        rpc Ask(AskRequest) returns (AskResponse) { option (gomsg.sdk.v1.method) = { number: 7 ${options} }; }
      }
      ${messages}`,
  });
}

function onlyFace(model: SdkModel): FaceModel {
  const faces = model.services.flatMap((service) => service.faces);
  expect(faces).toHaveLength(1);
  return faces[0]!;
}

describe('a face', () => {
  test('has the docs of its rpc unless it brings its own', () => {
    expect(onlyFace(modelWith('faces: {name: "ask"}')).doc).toBe('Asks.');
    expect(onlyFace(modelWith('faces: {name: "ask" doc: "Asks kindly."}')).doc).toBe('Asks kindly.');
  });

  test('takes parameters from nested fields, under the names that fields and parameters give', () => {
    const messages = `
      message AskRequest { Where where = 1; bytes payload = 2 [(gomsg.sdk.v1.field) = {name: "data", text: true}]; }
      message Where { uint64 offset = 1; }
      message AskResponse {}`;
    const face = onlyFace(
      modelWith(
        'faces: {name: "ask" params: {field: "where.offset" name: "from"} params: {field: "payload"}}',
        messages,
      ),
    );
    expect(
      face.params.map(({ name, type, path }) => ({ name, type, path: path.map((field) => field.name) })),
    ).toEqual([
      { name: 'from', type: { kind: 'int', bits: 64, signed: false }, path: ['where', 'offset'] },
      { name: 'data', type: { kind: 'text' }, path: ['payload'] },
    ]);
  });

  test('takes a list or a map for repeated messages', () => {
    const messages = `
      message AskRequest { repeated Entry entries = 1; }
      message Entry { string key = 1; bytes value = 2; }
      message AskResponse {}`;
    const [list, map] = modelWith(
      `faces: {name: "one" params: {field: "entries" element: "key"}}
       faces: {name: "two" params: {field: "entries" map_key: "key" map_value: "value"}}`,
      messages,
    ).services[0]!.faces;
    expect(list!.params[0]!.type).toEqual({ kind: 'list', of: { kind: 'string' } });
    expect(map!.params[0]!.type).toEqual({ kind: 'map', of: { kind: 'bytes' } });
  });

  test('gives every field of a message as an option with `.*`, and knows which can be left out', () => {
    const messages = `
      message AskRequest { Settings settings = 1; }
      message Settings { optional uint32 most = 1; google.protobuf.Duration age = 2; bool on = 3; }
      message AskResponse {}`;
    const face = onlyFace(modelWith('faces: {name: "ask" options: ["settings.*"]}', messages));
    expect(face.options.map(({ name, hasPresence }) => [name, hasPresence])).toEqual([
      ['most', true],
      ['age', true],
      ['on', false],
    ]);
  });

  test('returns the first element, elements that may be missing, all pages, or the response', () => {
    const messages = `
      message AskRequest { bytes cursor = 1; }
      message AskResponse { repeated Entry entries = 1; bytes next_cursor = 2; }
      message Entry { bytes value = 1 [(gomsg.sdk.v1.field) = {text: true}]; bool found = 2; }`;
    const [first, values, pages, whole] = modelWith(
      `faces: {name: "first" result: {field: "entries" first: true}}
       faces: {name: "values" result: {field: "entries" element: "value" present: "found"}}
       faces: {name: "pages" result: {field: "entries" pages: true}}
       faces: {name: "whole" result: {}}`,
      messages,
    ).services[0]!.faces;
    expect(first!.result!.type).toMatchObject({ kind: 'optional', of: { kind: 'message' } });
    expect(values!.result!.type).toEqual({ kind: 'list', of: { kind: 'optional', of: { kind: 'text' } } });
    expect(methodNames(values!)).toEqual(['values', 'values_bytes']);
    expect(pages!.kind).toBe('pages');
    expect(methodNames(pages!)).toEqual(['pages', 'pages_iter']);
    expect(whole!.result!.type).toMatchObject({ kind: 'message', message: { name: 'AskResponse' } });
  });
});

test('types come before those that use them, and know whether they go in or out', () => {
  const messages = `
    message AskRequest { Outer outer = 1; }
    message Outer { Inner inner = 1; }
    message Inner { string name = 1; }
    message AskResponse { Inner inner = 1; }`;
  const model = modelWith('faces: {name: "ask" params: {field: "outer"} result: {field: "inner"}}', messages);
  const used = model.messages.map(({ name, isInput, isOutput }) => ({ name, isInput, isOutput }));
  expect(used).toContainEqual({ name: 'Inner', isInput: true, isOutput: true });
  expect(used).toContainEqual({ name: 'Outer', isInput: true, isOutput: false });
  expect(used.findIndex(({ name }) => name === 'Inner')).toBeLessThan(
    used.findIndex(({ name }) => name === 'Outer'),
  );
});

describe('a mistake names the rpc, the face and the field', () => {
  test.each([
    ['faces: {name: "ask" params: {field: "nowhere"}}', /Ask: face ask: .*AskRequest has no field nowhere/],
    ['faces: {name: "Ask"}', /face Ask: the name must be in snake_case/],
    ['faces: {name: "ask"} faces: {name: "ask"}', /ask is there twice/],
    ['faces: {name: "ask" options: ["name"] params: {field: "name"}}', /name is there twice/],
    ['faces: {name: "ask" presets: {field: "name" json: "{"}}', /the preset of name is no JSON/],
    ['faces: {name: "ask" stream: {items: "x" resume: RESUME_RESTART}}', /belongs to a server-streaming rpc/],
    ['faces: {name: "ask" params: {field: "name" negate: true}}', /name is not an integer/],
    ['route: "nowhere"', /route: .*has no field nowhere/],
    ['faces: {name: "constructor"}', /face constructor: .*no member of every object/],
    [
      'faces: {name: "ask" params: {field: "name" name: "class"}}',
      /face ask: class cannot be a parameter in every language/,
    ],
    ['faces: {name: "ask" options: ["request"]}', /request cannot be a parameter in every language/],
    ['faces: {name: "ask" params: {field: "global"}}', /AskRequest\.global: no field of every language/],
    ['faces: {name: "ask" params: {field: "colors"}}', /COLOR_2X would be called 2x, which is no name/],
    ['faces: {name: "ask" params: {field: "entries.key"}}', /key is below a field that is no message/],
    ['faces: {name: "ask" options: ["entries.*"]}', /entries is no message/],
    [
      'faces: {name: "ask" params: {field: "entries" map_key: "number" map_value: "key"}}',
      /number cannot be the key of a map: it is no string/,
    ],
    [
      'faces: {name: "ask" presets: {field: "name" json: "1"}}',
      /the preset of name is no value of this field: 1/,
    ],
    [
      'faces: {name: "ask" presets: {field: "shade" json: "\\"BLUE\\""}}',
      /no value of test\.v1\.Shade: "BLUE"/,
    ],
    ['faces: {name: "ask" presets: {field: "entries" json: "1"}}', /the preset of entries is no value/],
    ['faces: {name: "ask" result: {field: "found" present: "name"}}', /`present` says of which `element`s/],
  ])('%s', (options, message) => {
    const messages = `
      enum Color { COLOR_UNSPECIFIED = 0; COLOR_2X = 1; }
      enum Shade { SHADE_UNSPECIFIED = 0; SHADE_DARK = 1; }
      message Entry { string key = 1; int32 number = 2; }
      message AskRequest {
        string name = 1; string request = 2; string global = 3; Color colors = 4; repeated Entry entries = 5; Shade shade = 6;
      }
      message Found { bool name = 1; }
      message AskResponse { repeated Found found = 1; }`;
    expect(() => modelWith(options, messages)).toThrow(message);
    expect(() => modelWith(options, messages)).toThrow(ModelError);
  });

  test('what one language cannot do is said with the face too', () => {
    const messages = `
      enum Shade { SHADE_UNSPECIFIED = 0; SHADE_DARK = 1; }
      message AskRequest { repeated Shade shades = 1; }
      message AskResponse {}`;
    const model = modelWith('faces: {name: "ask" params: {field: "shades"}}', messages);
    expect(() => emitGo(model)).toThrow(
      new ModelError('test.v1.TestService/Ask: face ask: lists of enum are not parameters in Go yet'),
    );
  });

  test('a type that holds itself is refused', () => {
    const messages =
      'message AskRequest {} message AskResponse { repeated Tree trees = 1; } message Tree { Tree left = 1; }';
    expect(() => modelWith('faces: {name: "ask" result: {field: "trees"}}', messages)).toThrow(
      /Tree: a type that holds itself/,
    );
  });

  test('a type or service that has a meaning in every SDK needs another name', () => {
    const messages = 'message AskRequest {} message AskResponse { Map map = 1; } message Map {}';
    expect(() => modelWith('faces: {name: "ask" result: {field: "map"}}', messages)).toThrow(
      /the type Map needs another name/,
    );
    expect(() =>
      modelOf({
        'test/v1/test.proto': `${HEAD}
          service RawService { rpc Ask(AskRequest) returns (AskResponse) {
            option (gomsg.sdk.v1.method) = { number: 7 faces: {name: "ask"} };
          } }
          message AskRequest {} message AskResponse {}`,
      }),
    ).toThrow(/a client cannot have a service called raw/);
  });
});

describe('the contracts of gomsg', () => {
  const model = gomsgModel();

  test('give a face to every rpc but those of sessions and the pipeline', () => {
    const withFaces = new Set(model.services.flatMap(({ faces }) => faces.map(({ rpc }) => rpc.path)));
    const without = model.rpcs.map(({ path }) => path).filter((path) => !withFaces.has(path));
    expect(without.every((path) => path.startsWith('gomsg.v1.PipelineService/'))).toBe(true);
  });

  test('have docs for every service, face, parameter, option, type and reason', () => {
    const faces = model.services.flatMap((service) => service.faces);
    const documented = [
      ...model.services,
      ...faces,
      ...faces.flatMap(({ params, options }) => [...params, ...options]),
      ...model.messages
        .filter(({ handwritten }) => !handwritten)
        .flatMap((message) => [message, ...message.fields]),
      ...model.reasons,
    ];
    expect(documented.filter(({ doc }) => doc === '')).toEqual([]);
  });

  test('say of each reason what to do, and which family it belongs to', () => {
    expect(model.reasons.find(({ name }) => name === 'KEY_NOT_FOUND')).toMatchObject({
      code: 5,
      family: 'not_found',
    });
    expect(model.reasons.filter(({ action }) => action === '')).toEqual([]);
    expect(model.reasons.filter(({ isClientOnly }) => isClientOnly).map(({ number }) => number)).toEqual([
      70, 71, 72, 73, 74, 75,
    ]);
  });
});
