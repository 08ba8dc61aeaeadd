/**
 * What waits behind the messages that the outbox has in memory, and the way into the window.
 *
 * In the order of the calls: the *window*, which the outbox holds and the replayer sends; the *tail*, which is in the
 * store alone; and *late* messages, which are not written yet, or cannot be. A message that is written while it is late
 * joins the tail; what the window lacks is read from the tail, and then comes from the late ones. Live publishes of other
 * topics pass all of these (R178): their records are among those of the tail, and are not read with it. Those that could
 * not at once, as the topics of the tail were not known or one of their own topic was in the window, are *passing*: they
 * get to the window in turn with pages of the tail.
 */
import type { PacketCallback } from 'mqtt';
import type { Held } from '../bounds.js';
import type { Lane } from '../lane.js';
import type { Message } from '../message.js';
import { type StoreTrouble, storeTrouble } from './failure.js';
import type { Tail } from './tail.js';
import { TopicLane } from './topic-lane.js';

/** Where messages go from here. */
export interface Window {
  /** What is in memory already and waits. */
  readonly window: Pick<Lane, 'size' | 'bytes' | 'last'>;
  /** Takes messages into the window, by their numbers. */
  take(messages: readonly Message[]): void;
}

/** What the window has at most. */
const WINDOW: Held = { size: 1_000, bytes: 4 * 1024 * 1024 };
/** What is read at once when there is room for it in the window; and as much of live ones follows. */
const PAGE: Held = { size: WINDOW.size / 2, bytes: WINDOW.bytes / 2 };
/** What is read at once for its topics alone, and comes on top of what is in the window. */
const SCAN: Held = { size: PAGE.size, bytes: 256 * 1024 };

/** Keeps the order of each topic. */
export class Waiting {
  readonly #owner: Window;
  readonly #spills: boolean;
  readonly #release: (message: Message) => void;
  readonly #report: (trouble: StoreTrouble) => void;
  readonly #late = new TopicLane();
  /** Live publishes of topics that the tail does not have. */
  readonly #passing = new TopicLane();
  #tail: Tail | undefined;
  /** Live publishes are among the late ones, and nobody knows yet whether the tail has their topics. */
  #isUndecided = false;
  /** The window has got what was passing; a page of the tail comes next. */
  #isPageNext = false;
  #isLoading = false;
  #committedUpTo = 0;

  /**
   * @param spills - False keeps everything in memory as well.
   * @param release - Of messages that come from the store.
   * @param report - Told what cannot be read.
   */
  constructor(
    owner: Window,
    spills: boolean,
    release: (message: Message) => void,
    report: (trouble: StoreTrouble) => void,
  ) {
    this.#owner = owner;
    this.#spills = spills;
    this.#release = release;
    this.#report = report;
  }

  /** Messages. */
  get size(): number {
    return (this.#tail?.size ?? 0) + this.#late.size + this.#passing.size;
  }

  /** Their bytes. */
  get bytes(): number {
    return (this.#tail?.bytes ?? 0) + this.#late.bytes + this.#passing.bytes;
  }

  /** Number of the oldest message; infinite when there is none. */
  get oldest(): number {
    const tail = this.#tail?.first ?? Number.POSITIVE_INFINITY;
    return Math.min(tail, this.#late.oldest, this.#passing.oldest);
  }

  /** Whether nothing waits. */
  get isEmpty(): boolean {
    return !this.#hasTail && this.#late.size === 0 && this.#passing.size === 0;
  }

  /** Whether a message of `topic` may wait here. */
  mayHave(topic: string): boolean {
    return this.#late.has(topic) || this.#passing.has(topic) || (this.#tail?.mayHave(topic) ?? false);
  }

  /** Messages that are not written yet, or were not when they were last looked at. */
  *late(): Generator<Message> {
    for (let { first: late } = this.#late; late; late = late.next) yield late;
  }

  get #hasTail(): boolean {
    return this.#tail?.isEmpty === false;
  }

  /** Whether a lane in memory may have another message. */
  hasRoomIn({ size, bytes }: Held): boolean {
    return !this.#spills || (size < WINDOW.size && bytes < WINDOW.bytes);
  }

  /** The store is open. What waits already comes after its messages, `shift` numbers later. */
  begin(tail: Tail, shift: number): void {
    this.#tail = tail;
    this.#committedUpTo = 0;
    this.#isPageNext = false;
    for (const message of this.late()) message.sequence += shift;
  }

  /** What waited for the opening is on its way to the store, and may go on to where it belongs. */
  start(): void {
    this.#placeLate();
    this.refill();
  }

  /** Forgets everything; @returns what was in memory, and the callbacks of the rest. */
  end(): { messages: Message[]; callbacks: PacketCallback[] } {
    const callbacks = this.#tail?.abandon() ?? [];
    this.#tail = undefined;
    return { messages: [...this.#passing.clear(), ...this.#late.clear()], callbacks };
  }

  /** Takes a message that comes after everything of its topic. */
  append(message: Message): void {
    this.#place(message);
    this.#letPass();
    this.#learnTopics();
  }

  #place(message: Message): void {
    const { topic, isLive } = message;
    const mayPass = isLive && this.#hasTail && !this.#tail?.mayHave(topic) && !this.#late.has(topic);
    if (mayPass && this.#passing.size < PAGE.size && this.#passing.bytes < PAGE.bytes) {
      this.#tail?.addPassed(message.sequence);
      this.#passing.append(message);
    } else {
      this.#late.append(message);
      if (isLive && this.#tail?.knowsTopics === false) this.#isUndecided = true;
    }
  }

  /** Places the late messages once more, as the topics of the tail are known now, or are to be. */
  #placeLate(): void {
    this.#isUndecided = false;
    for (const message of this.#late.clear()) this.#place(message);
    this.#letPass();
    this.committed(this.#committedUpTo);
    this.#learnTopics();
  }

  /** Live publishes wait: finds out whether the tail has their topics. */
  #learnTopics(): void {
    const tail = this.#tail;
    if (!tail || tail.isScanning || !this.#isUndecided) return;
    tail.scan(SCAN).then(
      () => {
        if (tail === this.#tail && tail.knowsTopics) this.#placeLate();
      },
      (error) => {
        if (tail === this.#tail) this.#report(storeTrouble(error));
      },
    );
  }

  /** Those that are passing follow what is in the window, in turn with pages of the tail. */
  #letPass(): void {
    if (this.#isPageNext || this.#passing.size === 0) return;
    this.#isPageNext = true;
    this.#owner.take(this.#passing.clear());
  }

  /** Everything up to this number is written. What waits behind the window then needs no memory, unless it may pass. */
  committed(upTo: number): void {
    this.#committedUpTo = upTo;
    if (!this.#hasTail) this.#promote();
    if (!this.#spills) return;
    for (let { first } = this.#late; first && first.sequence <= upTo; { first } = this.#late) {
      if (this.#isUndecided && this.hasRoomIn(this.#late)) return;
      this.#late.remove(first);
      this.#tail?.add(first);
    }
  }

  /** What waits in memory goes on into the window, as nothing is before it. */
  #promote(): void {
    if (this.#passing.size > 0) this.#owner.take(this.#passing.clear());
    for (let { first } = this.#late; first && this.hasRoomIn(this.#owner.window); { first } = this.#late) {
      this.#late.remove(first);
      this.#tail?.addLoaded(first.sequence);
      this.#owner.take([first]);
    }
  }

  /** Fills the window up when half of it is empty. */
  refill(): void {
    if (this.isEmpty || this.#isLoading) return;
    const { size, bytes, last } = this.#owner.window;
    if (this.#spills && (size > WINDOW.size - PAGE.size || bytes > WINDOW.bytes - PAGE.bytes)) return;
    const tail = this.#tail;
    if (!tail || tail.isEmpty) {
      this.#promote();
      return;
    }
    // What has passed the tail goes first: each page would come before it.
    if (last && !tail.hasRead(last.sequence)) return;
    this.#isLoading = true;
    void this.#load(tail).finally(() => {
      this.#isLoading = false;
      this.refill();
    });
  }

  async #load(tail: Tail): Promise<void> {
    try {
      const page = await tail.fetch(PAGE);
      if (tail !== this.#tail) return;
      const { messages, errors } = tail.adopt(page);
      for (const error of errors) this.#report({ reason: 'corrupt', error });
      for (const message of messages) message.release = this.#release;
      this.#owner.take(messages);
      this.#isPageNext = false;
      this.#letPass();
      this.#learnTopics();
    } catch (error) {
      if (tail === this.#tail) this.#abandonTail(tail, storeTrouble(error));
    }
  }

  #abandonTail(tail: Tail, trouble: StoreTrouble): void {
    const callbacks = tail.abandon();
    this.#report(trouble);
    this.refill();
    for (const callback of callbacks) callback(trouble.error);
  }

  /** Takes the newest messages that do not fit out again, while `isTooMuch` says so. */
  shed(isTooMuch: () => boolean): Message[] {
    const shed: Message[] = [];
    for (let { last } = this.#late; last && isTooMuch(); { last } = this.#late) {
      this.#late.remove(last);
      shed.push(last);
    }
    return shed;
  }
}
