/** The most memory, in bytes, that this process has held since it became Node. */
export declare function peakRssBytes(): number;
