namespace Virtigo.Installers.Debian;

/// <summary>What differs from one of Debian's releases to another before its installer is even fetched.</summary>
/// <param name="SecuritySuite">The suite of its security updates.</param>
/// <param name="Keyring">The keyring that its archive is signed by; null for the host's current one.</param>
internal sealed record DebianRelease(string SecuritySuite, string? Keyring)
{
    /// <summary>The keys that Debian has retired: they vouch for releases of their time and for no other.</summary>
    private const string RetiredKeys = "/usr/share/keyrings/debian-archive-removed-keys.gpg";

    /// <summary>Releases that Debian has archived, and that name their security updates in the old way.</summary>
    private static readonly string[] s_archived = ["wheezy", "jessie", "stretch", "buster"];

    /// <summary>What is known of a release; of one that is not known, what holds for all since bullseye.</summary>
    /// <param name="codename">Its codename.</param>
    public static DebianRelease Of(string codename) =>
        s_archived.Contains(codename) ? new($"{codename}/updates", RetiredKeys) : new($"{codename}-security", null);
}
