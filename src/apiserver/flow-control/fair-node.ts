/** Main-thread time that a node of weight 1 gets at once before its neighbours have their turn. */
const quantumMs = 0.25;
/** What a node can owe at most: one long list does not keep a tenant away for the rest of the minute. */
const debtMsMax = 20;
/** Children looked at for one dispatch: of many that all wait for seats some are looked at next time. */
const looksMax = 64;

/** The lists that a node's children are in while something waits below them, in the order in which they are looked at. */
const first = 0;
const fresh = 1;
const served = 2;
type ListName = typeof first | typeof fresh | typeof served;

/** Whether there is room for one more request below a node. */
export interface Room {
  hasRoom(): boolean;
}

/**
 * A node of the tree by which waiting requests are taken in fair order: level → workspace → level of the workspace →
 * queue. Each node serves its children by deficit round robin in main-thread time, weighted, those that have just begun
 * to wait before those that have had their turn (as RFC 8290 does with packets). A step costs the depth of the tree, not
 * the number of tenants.
 *
 * The lists are links in the nodes themselves. A `Set` that children enter and leave all the time is copied every few
 * steps, and each copy leads to the next: once one has become old, the garbage collector takes all later ones along, with
 * every request that was waiting then.
 */
export class FairNode<Item> {
  /** Relative to its neighbours'. */
  weight: number;
  /** Goes before its neighbours as long as it has not had its time. */
  isFirst = false;
  /** Seats held below. */
  executing = 0;
  /** Requests waiting below. */
  queued = 0;
  /** Only in leaves: whether it is on the list of those in which something may wait too long. */
  isSwept = false;
  /** Only in leaves: what waits, first come first. */
  readonly items: Item[] = [];
  readonly parent: FairNode<Item> | undefined;
  readonly #room: Room | undefined;
  #creditMs = 0;
  /** Heads and tails of the children's lists, and how many are in them. */
  readonly #heads: (FairNode<Item> | undefined)[] = [undefined, undefined, undefined];
  readonly #tails: (FairNode<Item> | undefined)[] = [undefined, undefined, undefined];
  #listed = 0;
  /** The parent's list that this one is in, with its neighbours there. */
  #in: ListName | undefined;
  #before: FairNode<Item> | undefined;
  #after: FairNode<Item> | undefined;

  /** Without a `room` there always is some. */
  constructor(parent: FairNode<Item> | undefined, weight = 1, room?: Room) {
    this.parent = parent;
    this.weight = weight;
    this.#room = room;
  }

  get isIdle(): boolean {
    return this.executing === 0 && this.queued === 0;
  }

  /** Adds to this leaf. */
  push(item: Item): void {
    this.items.push(item);
    let node: FairNode<Item> = this;
    for (;;) {
      node.queued++;
      const { parent } = node;
      if (parent === undefined) return;
      if (node.queued === 1) parent.#list(node);
      node = parent;
    }
  }

  /** Takes the first item of this leaf. */
  shift(): Item | undefined {
    const item = this.items.shift();
    if (item !== undefined) this.#uncount(1);
    return item;
  }

  /** Takes out every item that is not to wait any longer; returns them. */
  removeWhere(isOver: (item: Item) => boolean): Item[] {
    const over: Item[] = [];
    let kept = 0;
    for (const item of this.items) {
      if (isOver(item)) over.push(item);
      else this.items[kept++] = item;
    }
    this.items.length = kept;
    if (over.length > 0) this.#uncount(over.length);
    return over;
  }

  /** The leaf whose first item is next; undefined when nothing waits, or nothing for which there is room. */
  next(): FairNode<Item> | undefined {
    if (this.items.length > 0) return this;
    for (let looks = 0; looks < looksMax; ) {
      const child = this.#heads[first] ?? this.#heads[fresh] ?? this.#heads[served];
      if (child === undefined) return undefined;
      if (child.#creditMs <= 0) {
        this.#moveBack(child);
        // Alone there is nobody to give way to.
        if (!this.#isAlone) {
          child.#creditMs += quantumMs * child.weight;
          continue;
        }
        child.#creditMs = quantumMs * child.weight;
      }
      const leaf = child.#room?.hasRoom() === false ? undefined : child.next();
      if (leaf !== undefined) return leaf;
      if (this.#isAlone) return undefined;
      this.#moveBack(child);
      looks++;
    }
    return undefined;
  }

  /** Forgets what it owes and what is due to it. */
  settle(): void {
    this.#creditMs = 0;
  }

  /** Puts main-thread time on the account of this node and all above it. */
  charge(ms: number): void {
    let node: FairNode<Item> | undefined = this;
    while (node !== undefined) {
      node.#creditMs = Math.max(node.#creditMs - ms, -debtMsMax);
      node = node.parent;
    }
  }

  /** Counts seats here and in all above. */
  occupy(seats: number): void {
    let node: FairNode<Item> | undefined = this;
    while (node !== undefined) {
      node.executing += seats;
      node = node.parent;
    }
  }

  #uncount(items: number): void {
    let node: FairNode<Item> = this;
    for (;;) {
      node.queued -= items;
      const { parent } = node;
      if (parent === undefined) return;
      if (node.queued === 0) parent.#unlist(node);
      node = parent;
    }
  }

  #list(child: FairNode<Item>): void {
    if (child.#creditMs < 0) {
      this.#append(child, served);
      return;
    }
    child.#creditMs = quantumMs * child.weight;
    this.#append(child, child.isFirst ? first : fresh);
  }

  get #isAlone(): boolean {
    return this.#listed === 1;
  }

  #append(child: FairNode<Item>, list: ListName): void {
    const tail = this.#tails[list];
    if (tail === undefined) this.#heads[list] = child;
    else tail.#after = child;
    child.#before = tail;
    child.#in = list;
    this.#tails[list] = child;
    this.#listed++;
  }

  #unlist(child: FairNode<Item>): void {
    const list = child.#in;
    if (list === undefined) return;
    const before = child.#before;
    const after = child.#after;
    if (before === undefined) this.#heads[list] = after;
    else before.#after = after;
    if (after === undefined) this.#tails[list] = before;
    else after.#before = before;
    child.#in = undefined;
    child.#before = undefined;
    child.#after = undefined;
    this.#listed--;
  }

  #moveBack(child: FairNode<Item>): void {
    this.#unlist(child);
    this.#append(child, served);
  }
}
