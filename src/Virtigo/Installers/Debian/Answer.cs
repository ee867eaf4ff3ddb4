namespace Virtigo.Installers.Debian;

/// <summary>An answer given to debian-installer in advance.</summary>
/// <param name="Owner">The package the question belongs to; <c>d-i</c> for the installer itself.</param>
/// <param name="Question">The question's debconf name.</param>
/// <param name="Type">The question's debconf type.</param>
/// <param name="Value">The answer; one line.</param>
/// <param name="Reason">Why this answer: what it does, and where its value came from.</param>
/// <param name="Secret">Whether the value must not be shown.</param>
internal sealed record Answer(string Owner, string Question, string Type, string Value, string Reason, bool Secret = false)
{
    /// <summary>Stands for a secret value where it is compared or kept; null for the value itself.</summary>
    public string? Digest { get; init; }
}
