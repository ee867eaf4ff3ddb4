namespace Virtigo.Installers.Ubuntu;

/// <summary>A release of Ubuntu that Virtigo knows how to install.</summary>
/// <param name="Codename">Its codename.</param>
/// <param name="Version">Its version.</param>
internal sealed record UbuntuRelease(string Codename, string Version);

/// <summary>The releases, as data.</summary>
internal static class UbuntuReleases
{
    /// <summary>The release where none is named: the last one with long-term support that the answers are written for.</summary>
    public const string Default = "noble";

    /// <summary>All of them, the oldest first.</summary>
    public static IReadOnlyList<UbuntuRelease> All { get; } = [new("jammy", "22.04"), new(Default, "24.04")];

    /// <summary>A release by its codename, or null.</summary>
    public static UbuntuRelease? Find(string codename) => All.FirstOrDefault(release => release.Codename == codename);
}
