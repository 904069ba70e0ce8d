/** `one group is` or `3 groups are`: a number with what it counts. */
export function counted(count: number, one: string, many: string): string {
  return count === 1 ? `one ${one}` : `${count} ${many}`;
}
