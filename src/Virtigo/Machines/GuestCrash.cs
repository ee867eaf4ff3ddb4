namespace Virtigo.Machines;

/// <summary>What a system says on its console when it will never do anything more.</summary>
internal static class GuestCrash
{
    private static readonly string[] s_meanings = ["its first process has crashed", "its kernel has panicked"];

    /// <summary>The words, as they stand on the console.</summary>
    public static IReadOnlyList<byte[]> Words { get; } = ["systemd[1]: Freezing execution"u8.ToArray(), "Kernel panic - not syncing"u8.ToArray()];

    /// <summary>The failure that words mean.</summary>
    /// <param name="kind">The kind of failure.</param>
    /// <param name="machine">The machine, as a sentence begins with it.</param>
    /// <param name="words">The index of the words.</param>
    /// <param name="console">What the console says, or nothing.</param>
    /// <param name="hint">What to do.</param>
    public static VirtigoException Failure(FailureKind kind, string machine, int words, string console, string hint) =>
        new(kind, $"{machine} stands still: {s_meanings[words]}.{console}", hint) { GuestCrashed = true };
}
