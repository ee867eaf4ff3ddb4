using System.Globalization;
using Virtigo.Host;
using Virtigo.Installers.Debian;

namespace Virtigo.Appliances;

/// <summary>The way that an install has in common with other appliances', until it needs to know what is its own.</summary>
internal static class InstallWay
{
    /// <summary>Counts up when installers saved by an older Virtigo can no longer be gone on from.</summary>
    private const int Format = 1;

    /// <summary>The settings that decide it, in the order of the reference.</summary>
    public static IReadOnlyList<string> Settings { get; } =
        ["distro", "release", "arch", "mirror", "security-mirror", "domain", "disk", "firmware", "locale", "keyboard", "preseed"];

    /// <summary>The part of the way that a plan decides, and what this version of Virtigo makes of it.</summary>
    /// <returns>64 lower-case hexadecimal digits.</returns>
    public static string Of(AppliancePlan plan) => PartsHash.Of(Parts(plan));

    /// <summary>The whole way: that part, the archive's state, the installer, and what the guest runs on.</summary>
    /// <returns>64 lower-case hexadecimal digits.</returns>
    public static string Key(string way, PlanArchives archives, InstallerBuild installer, string platform) =>
        PartsHash.Of([way, installer.CacheKey, .. archives.All.Select(suite => suite.ReleaseSha256), platform]);

    /// <summary>What decides the way, to hash.</summary>
    public static IEnumerable<string> Parts(AppliancePlan plan) =>
    [
        Format.ToString(CultureInfo.InvariantCulture),
        plan.Architecture.Value,
        plan.DiskBytes.Value.ToString(CultureInfo.InvariantCulture),
        DebianBoot.CommandLine(DebianBoot.CheapToEmulate),
        .. DebianAnswers.Shared(plan.ToDebianChoices()).Select(answer => $"{answer.Question} {answer.Type} {answer.Digest ?? answer.Value}"),
        .. InstallHooks.Shared("", plan.Mirror.Value.Authority).Select(file => file.Text),
    ];
}
