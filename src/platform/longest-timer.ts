/** The longest delay of a timer, in milliseconds: in Node and browsers a longer one overflows, and fires at once. */
export const LONGEST_TIMER_MS = 2_147_483_647;
