namespace Virtigo.Installers.Debian;

/// <summary>A line of the log that may be why an install fails. The installer tries some things in vain by design, so it is a reason only
/// once the install stops.</summary>
/// <param name="Weight">How well it explains a stop; the heavier of two is believed, the earlier of two alike.</param>
/// <param name="Fatal">The install cannot go on after it.</param>
/// <param name="Lasting">It stays a reason in later stages.</param>
/// <param name="Kind">The kind of failure.</param>
/// <param name="Message">What failed.</param>
/// <param name="Hint">What to do, or null.</param>
internal sealed record Suspicion(int Weight, bool Fatal, bool Lasting, FailureKind Kind, string Message, string? Hint);
