/** Node's heap in a function of so many MB, as Lambda's managed runtime sets it by flags. */
export const heapFlags = (memoryMb: number): readonly string[] => [
  `--max-semi-space-size=${Math.floor(memoryMb / 20)}`,
  `--max-old-space-size=${Math.floor(memoryMb * 0.9)}`,
];
