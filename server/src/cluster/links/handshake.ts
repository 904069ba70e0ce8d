/**
 * How two nodes come to trust a stream: hello, challenge, proof, welcome.
 *
 * With a secret each side proves that it knows it by an HMAC-SHA256 over its role and the very bytes of hello and
 * challenge: both nonces, the cluster, both nodes, the versions and the purpose. Both nonces are new, so what was
 * overheard proves nothing on another stream. The side that dials proves first: a port gives no proof, on which a weak
 * secret could be tried out, to a stranger. What follows on the stream is not encrypted: that is for TLS.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import {
  type Challenge,
  type Handshake,
  type HandshakeSchema,
  type Hello,
  PeerServiceLinkRequestSchema,
  RefusalReason,
  StreamPurpose,
} from '../../gen/gomsg/internal/v1/peer_pb.js';
import { LEVEL, LEVEL_OLDEST, levelSent } from '../../state/level.ts';
import { type ForeignMember, type LocalNode, PROTOCOL_MAX, PROTOCOL_MIN } from './options.ts';
import type { PeerStream } from './peer-stream.ts';

export { RefusalReason, StreamPurpose };

const NONCE_BYTES = 32;
const MAC_BYTES = 32;
/** The longest step: ids and versions are short, so what is longer is none. */
const STEP_BYTES_MAX = 4096;
const NO_MAC: Uint8Array = new Uint8Array(0);

/** The two nodes will not talk, and why. */
export class LinkRefusedError extends Error {
  override readonly name = 'LinkRefusedError';
  readonly reason: RefusalReason;
  /** This node refused the other, not the other way round. */
  readonly byUs: boolean;
  /** That the refusing side knows the secret. */
  readonly mac: Uint8Array;

  constructor(reason: RefusalReason, message: string, byUs: boolean, mac: Uint8Array = NO_MAC) {
    super(message);
    this.reason = reason;
    this.byUs = byUs;
    this.mac = mac;
  }
}

/** The stream ended before or after it was open, for no reason that the other side gave. */
export class LinkLostError extends Error {
  override readonly name = 'LinkLostError';
}

/** The other side, once it is trusted. */
export interface PeerNode {
  /** 0 for a candidate. */
  readonly number: number;
  readonly nodeId: string;
  /** Of its program. */
  readonly version: string;
  /** Empty for a candidate. */
  readonly clusterId: string;
}

/** Told once how it ended. On success the stream has a new listener before this returns, or it hears nothing. */
export type HandshakeDone = (outcome: PeerNode | LinkRefusedError | LinkLostError) => void;

export interface DialOptions {
  /** A candidate has number 0 and no cluster id. */
  readonly self: LocalNode;
  readonly secret: string | undefined;
  readonly purpose: StreamPurpose;
  /** The node meant; undefined = whichever answers. */
  readonly target: { readonly number: number; readonly nodeId: string } | undefined;
  readonly timeout_ms: number;
  /** The other side, which knows the secret, says that this node has left the cluster for good. */
  readonly onLeft?: () => void;
}

/** Shakes hands on a stream that this node opened. */
export function dialHandshake(stream: PeerStream, options: DialOptions, done: HandshakeDone): void {
  const { self, secret, target } = options;
  const talk = new Talk(stream, options.timeout_ms, done);
  const hello = talk.send({
    case: 'hello',
    value: {
      protocolMin: PROTOCOL_MIN,
      protocolMax: PROTOCOL_MAX,
      version: self.version,
      purpose: options.purpose,
      clusterId: self.clusterId,
      nodeNumber: self.number,
      nodeId: self.nodeId,
      targetNumber: target?.number ?? 0,
      nonce: randomBytes(NONCE_BYTES),
      level: LEVEL,
    },
  });
  talk.expect('challenge', (challenge, challengeBytes) => {
    const prove = (role: string) => proof(secret, role, hello, challengeBytes);
    checkChallenge(challenge, options, prove);
    talk.send({ case: 'proof', value: { mac: prove(DIALLER) } });
    const unproved = `${stream.peer} did not show that it knows the cluster's secret`;
    talk.expect(
      'welcome',
      ({ mac }) => {
        checkProof(prove(ACCEPTOR), mac, unproved);
        const { nodeNumber: number, nodeId, version, clusterId } = challenge;
        talk.finish({ number, nodeId, version, clusterId });
      },
      ({ reason, mac }) => {
        if (reason !== RefusalReason.LEFT) return;
        checkProof(prove(DISMISSER), mac, unproved);
        options.onLeft?.();
      },
    );
  });
}

/** The proof of a side in a role. */
type Prove = (role: string) => Uint8Array;

function checkChallenge(challenge: Challenge, { self, target, purpose }: DialOptions, prove: Prove): void {
  const { protocol, clusterId, nodeNumber, nodeId, nonce, level, version } = challenge;
  if (nonce.length !== NONCE_BYTES) throw malformed('a nonce has the wrong length');
  if (protocol < PROTOCOL_MIN || protocol > PROTOCOL_MAX) {
    throw refusal(
      RefusalReason.VERSION,
      `gomsg ${version} chose version ${protocol} of the peer protocol, and gomsg ${self.version} speaks ${PROTOCOL_MIN} to ${PROTOCOL_MAX}`,
    );
  }
  if (purpose !== StreamPurpose.JOIN) {
    if (clusterId !== self.clusterId) {
      // With a proof: the other side may have to end for it, and does not for a stranger.
      throw otherCluster(self, { nodeId, clusterId }, prove(REFUSER));
    }
    checkLevel(self, { nodeId, version, level });
  }
  if (target !== undefined && (nodeNumber !== target.number || nodeId !== target.nodeId)) {
    throw refusal(
      RefusalReason.WRONG_NODE,
      `node ${nodeId} (number ${nodeNumber}) answers where ${target.nodeId} (number ${target.number}) should be`,
    );
  }
}

export interface AcceptOptions {
  readonly self: LocalNode;
  readonly secret: string | undefined;
  readonly purpose: StreamPurpose;
  /** Id of a member by its number; undefined when there is none. */
  readonly memberId: (number: number) => string | undefined;
  /** Whether a node was a member and has left for good. Default: nobody has. */
  readonly hasLeft?: (number: number, nodeId: string) => boolean;
  readonly timeout_ms: number;
  /** Told of a node that knows the secret and refused this one for its cluster. */
  readonly onForeignMember?: (member: ForeignMember) => void;
}

/** Shakes hands on a stream that another node opened. */
export function acceptHandshake(stream: PeerStream, options: AcceptOptions, done: HandshakeDone): void {
  const { self, secret } = options;
  const talk = new Talk(stream, options.timeout_ms, done);
  talk.expect('hello', (hello, helloBytes) => {
    const protocol = checkHello(hello, options);
    const challengeBytes = talk.send({
      case: 'challenge',
      value: {
        protocol,
        version: self.version,
        clusterId: self.clusterId,
        nodeNumber: self.number,
        nodeId: self.nodeId,
        nonce: randomBytes(NONCE_BYTES),
        level: LEVEL,
      },
    });
    const prove = (role: string) => proof(secret, role, helloBytes, challengeBytes);
    if (isForeign(hello, options)) {
      // It refuses the challenge; were it to go on nevertheless, it is refused here.
      const tellOf = (mac: Uint8Array): void => {
        checkProof(prove(REFUSER), mac, 'a node of another cluster does not know the secret of this one');
        const { nodeId, clusterId } = hello;
        options.onForeignMember?.({ nodeId, clusterId, peer: stream.peer });
      };
      talk.expect(
        'proof',
        () => {
          throw otherCluster(self, hello);
        },
        ({ reason, mac }) => {
          if (reason === RefusalReason.CLUSTER) tellOf(mac);
        },
      );
      return;
    }
    talk.expect('proof', ({ mac }) => {
      const why =
        mac.length === 0
          ? 'this cluster has a secret, and the node that dialled was started without one'
          : `the node that dialled does not know the secret of this cluster`;
      checkProof(prove(DIALLER), mac, why);
      // Only who knows the secret learns who is a member.
      checkMember(hello, options, prove);
      talk.send({ case: 'welcome', value: { mac: prove(ACCEPTOR) } });
      const { nodeNumber: number, nodeId, version, clusterId } = hello;
      talk.finish({ number, nodeId, version, clusterId });
    });
  });
}

/** The version to speak. */
function checkHello(hello: Hello, { self, purpose }: AcceptOptions): number {
  const protocol = Math.min(hello.protocolMax, PROTOCOL_MAX);
  if (protocol < Math.max(hello.protocolMin, PROTOCOL_MIN)) {
    throw refusal(
      RefusalReason.VERSION,
      `gomsg ${hello.version} speaks versions ${hello.protocolMin} to ${hello.protocolMax} of the peer protocol, and gomsg ${self.version} speaks ${PROTOCOL_MIN} to ${PROTOCOL_MAX}: upgrade in smaller steps`,
    );
  }
  if (hello.nonce.length !== NONCE_BYTES) throw malformed('a nonce has the wrong length');
  if (hello.purpose !== purpose) throw malformed('the stream is for something else than its method');
  if (purpose === StreamPurpose.JOIN) return protocol;
  // The answer to a node of another cluster says so to it.
  if (hello.clusterId !== self.clusterId) return protocol;
  checkLevel(self, hello);
  if (hello.targetNumber !== self.number) {
    throw refusal(
      RefusalReason.WRONG_NODE,
      `node ${self.nodeId} (number ${self.number}) was taken for number ${hello.targetNumber}`,
    );
  }
  return protocol;
}

function isForeign(hello: Hello, { self, purpose }: AcceptOptions): boolean {
  return purpose !== StreamPurpose.JOIN && hello.clusterId !== self.clusterId;
}

/** A node that could not apply what this one sends, or has stored, is to vote on nothing. */
function checkLevel(
  self: LocalNode,
  { nodeId, version, level }: { readonly nodeId: string; readonly version: string; readonly level: number },
): void {
  const needed = self.level?.() ?? LEVEL_OLDEST;
  if (levelSent(level) >= needed) return;
  throw refusal(
    RefusalReason.VERSION,
    `node ${nodeId} runs gomsg ${version}, which applies levels up to ${levelSent(level)}, and the cluster writes at level ${needed}: upgrade that node`,
  );
}

function checkMember({ nodeNumber, nodeId }: Hello, options: AcceptOptions, prove: Prove): void {
  const { purpose, memberId, hasLeft } = options;
  if (purpose === StreamPurpose.JOIN || memberId(nodeNumber) === nodeId) return;
  if (hasLeft?.(nodeNumber, nodeId)) {
    const message = `node ${nodeId} has left the cluster for good: its id is never used again, and its data is on the others`;
    // With a proof: the other side ends for it, and does not for a stranger.
    throw new LinkRefusedError(RefusalReason.LEFT, message, true, prove(DISMISSER));
  }
  throw refusal(
    RefusalReason.UNKNOWN_NODE,
    `node ${nodeId} (number ${nodeNumber}) is no member of the cluster, as far as this node knows`,
  );
}

const DIALLER = 'gomsg peer dialler';
const ACCEPTOR = 'gomsg peer acceptor';
/** The side that dials, and finds another cluster than its own. */
const REFUSER = 'gomsg peer refuser';
/** The side that answers, and knows that the other has left. */
const DISMISSER = 'gomsg peer dismisser';

function proof(
  secret: string | undefined,
  role: string,
  hello: Uint8Array,
  challenge: Uint8Array,
): Uint8Array {
  if (secret === undefined) return NO_MAC;
  const hmac = createHmac('sha256', secret);
  // Each part behind its length, so that no other parts give the same bytes.
  for (const part of [Buffer.from(role), hello, challenge]) {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(part.length);
    hmac.update(length).update(part);
  }
  return hmac.digest();
}

/** A side without a secret asks for no proof, and passes over one. */
function checkProof(expected: Uint8Array, given: Uint8Array, why: string): void {
  if (expected.length === 0) return;
  if (given.length !== MAC_BYTES || !timingSafeEqual(expected, given)) {
    throw refusal(RefusalReason.SECRET, why);
  }
}

function refusal(reason: RefusalReason, message: string): LinkRefusedError {
  return new LinkRefusedError(reason, message, true);
}

/** What came is not of this protocol. */
export function malformed(why: string): LinkRefusedError {
  return refusal(RefusalReason.MALFORMED, why);
}

interface Belonging {
  readonly nodeId: string;
  readonly clusterId: string;
}

function otherCluster(self: Belonging, other: Belonging, mac = NO_MAC): LinkRefusedError {
  const message = `node ${self.nodeId} belongs to cluster ${self.clusterId}, and node ${other.nodeId} to cluster ${other.clusterId}: two clusters are never merged`;
  return new LinkRefusedError(RefusalReason.CLUSTER, message, true, mac);
}

type Step = Handshake['step'];
type StepCase = Exclude<Step['case'], undefined>;
type StepValue<C extends StepCase> = Extract<Step, { case: C }>['value'];
type StepInit = NonNullable<MessageInitShape<typeof HandshakeSchema>['step']>;

/** One side's part of a handshake. */
class Talk {
  readonly #stream: PeerStream;
  readonly #done: HandshakeDone;
  readonly #timer: NodeJS.Timeout;
  #finished = false;

  constructor(stream: PeerStream, timeout_ms: number, done: HandshakeDone) {
    this.#stream = stream;
    this.#done = done;
    this.#timer = setTimeout(() => {
      this.finish(new LinkLostError(`${stream.peer} did not finish the handshake within ${timeout_ms} ms`));
    }, timeout_ms);
  }

  /** Sends a step and returns its bytes. */
  send(step: StepInit): Buffer {
    const bytes = encodeStep(step);
    this.#stream.write(bytes);
    return bytes;
  }

  /** Waits for a step, or for the refusal in its place. What is thrown as a refusal is told to the other side. */
  expect<C extends StepCase>(
    wanted: C,
    then: (value: StepValue<C>, bytes: Uint8Array) => void,
    onRefused?: (refused: StepValue<'refused'>) => void,
  ): void {
    this.#stream.listen({
      message: (bytes) => {
        if (this.#finished) return;
        try {
          const step = decodeStep(bytes);
          if (step.case === 'refused') {
            onRefused?.(step.value);
            throw refusedByOther(step.value);
          }
          if (step.case !== wanted) throw malformed(`a ${wanted} was due, and ${step.case} came`);
          then(step.value as StepValue<C>, bytes);
        } catch (error) {
          if (!(error instanceof LinkRefusedError)) throw error;
          if (error.byUs) refuse(this.#stream, error);
          this.finish(error);
        }
      },
      ended: () => this.finish(new LinkLostError(`${this.#stream.peer} ended the stream in its handshake`)),
      drained: () => {},
      closed: (why) =>
        this.finish(
          new LinkLostError(why?.message ?? `${this.#stream.peer} closed the stream`, { cause: why }),
        ),
    });
  }

  finish(outcome: PeerNode | LinkRefusedError | LinkLostError): void {
    if (this.#finished) return;
    this.#finished = true;
    clearTimeout(this.#timer);
    this.#done(outcome);
  }
}

function refusedByOther({ reason, message }: StepValue<'refused'>): LinkRefusedError {
  return new LinkRefusedError(reason, message.slice(0, STEP_BYTES_MAX), false);
}

/** Tells the other side why there is no stream, and ends it. */
export function refuse(stream: PeerStream, { reason, message, mac }: LinkRefusedError): void {
  if (stream.isClosed) return;
  stream.write(encodeStep({ case: 'refused', value: { reason, message, mac } }));
  stream.end();
}

// Steps are field 1 of every message of PeerService, so the schema of one serves them all.

function encodeStep(step: StepInit): Buffer {
  const bytes = toBinary(
    PeerServiceLinkRequestSchema,
    create(PeerServiceLinkRequestSchema, { handshake: { step } }),
  );
  return aloneInMemory(bytes);
}

function decodeStep(bytes: Uint8Array): Exclude<Step, { case: undefined }> {
  if (bytes.length > STEP_BYTES_MAX) throw malformed('a step of a handshake is too long');
  let step: Step | undefined;
  try {
    step = fromBinary(PeerServiceLinkRequestSchema, bytes).handshake?.step;
  } catch (error) {
    throw malformed(
      `a step of a handshake cannot be decoded: ${error instanceof Error ? error.message : error}`,
    );
  }
  if (step?.case === undefined) throw malformed('what came is no step of a handshake');
  return step;
}

/** The reason of a refusal that comes when the stream is open already; undefined for any other message. */
export function lateRefusal(bytes: Uint8Array): LinkRefusedError | undefined {
  // Tag of the field `handshake`.
  if (bytes[0] !== 0x0a) return undefined;
  try {
    const step = decodeStep(bytes);
    return step.case === 'refused' ? refusedByOther(step.value) : malformed('a handshake came twice');
  } catch (error) {
    if (error instanceof LinkRefusedError) return error;
    throw error;
  }
}

/** Bytes in the form that `PeerStream.write` takes. */
export function aloneInMemory(bytes: Uint8Array): Buffer {
  const isAlone = bytes.byteOffset === 0 && bytes.byteLength === bytes.buffer.byteLength;
  if (isAlone) return Buffer.from(bytes.buffer, 0, bytes.byteLength);
  const alone = Buffer.allocUnsafeSlow(bytes.length);
  alone.set(bytes);
  return alone;
}
