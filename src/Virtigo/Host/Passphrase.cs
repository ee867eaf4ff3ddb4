namespace Virtigo.Host;

/// <summary>What opens an encrypted disk: it reads as <c>***</c> wherever it is printed, and is equal to one of the same digest.</summary>
/// <param name="text">The passphrase.</param>
/// <param name="digest">Tells whether it is another, and nothing else to whoever lacks the secret that it was made with.</param>
internal sealed class Passphrase(string text, string digest) : IEquatable<Passphrase>
{
    /// <summary>What stands for it in hashes and records.</summary>
    public string Digest => digest;

    /// <summary>The passphrase itself.</summary>
    public string Reveal() => text;

    public bool Equals(Passphrase? other) => other is not null && other.Digest == digest;

    public override bool Equals(object? obj) => Equals(obj as Passphrase);

    public override int GetHashCode() => digest.GetHashCode(StringComparison.Ordinal);

    public override string ToString() => "***";
}
