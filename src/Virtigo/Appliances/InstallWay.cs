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

    /// <summary>What a plan decides of the way to where it goes on alone: from there another install of the same way can be gone on from.</summary>
    /// <returns>64 lower-case hexadecimal digits.</returns>
    public static string Of(AppliancePlan plan) => Before(plan, plan.Parts.Count - 1);

    /// <summary>What a plan decides of the way to where one of its parts is told to the installer.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="part">The part, counted from the undermost, which is 0.</param>
    /// <returns>64 lower-case hexadecimal digits.</returns>
    public static string Before(AppliancePlan plan, int part) =>
        PartsHash.Of([.. Parts(plan), .. plan.Parts.Take(part).SelectMany((below, index) => Own(below, index).Prepend(below.Fingerprint))]);

    /// <summary>The whole way to each part: what the plan decides of it, the archive's state, the installer, and what the guest runs on.</summary>
    /// <returns>For each part 64 lower-case hexadecimal digits.</returns>
    public static IReadOnlyList<string> Keys(AppliancePlan plan, PlanArchives archives, InstallerBuild installer, string platform) =>
        [.. plan.Parts.Select((_, part) =>
            PartsHash.Of([Before(plan, part), installer.CacheKey, .. archives.StateFor(part == 0 ? null : plan.Parts[part - 1].Target.Choices), platform]))];

    /// <summary>What this version of Virtigo tells the installer of a part of an appliance.</summary>
    /// <param name="part">The part.</param>
    /// <param name="index">How many are below it.</param>
    public static IEnumerable<string> Own(AppliancePlan part, int index)
    {
        DebianChoices choices = Nameless(part.ToDebianChoices());
        return
        [
            .. DebianAnswers.Own(choices).Select(answer => $"{answer.Question} {answer.Type} {(answer.Secret ? "" : answer.Value)}"),
            .. (index == 0 ? InstallHooks.Own(choices, "", "") : InstallHooks.Layer(choices, index, "", more: false))
                .Where(file => !file.IsHanded).Select(file => file.Text),
        ];
    }

    // Where a command was written does not matter.
    private static DebianChoices Nameless(DebianChoices choices) =>
        choices with { Target = choices.Target with { Run = [.. choices.Target.Run.Select(command => command with { Origin = "" })] } };

    /// <summary>
    /// Why a plan's installer is never saved, as the rest of a sentence; null when it is. Who has what was saved could read its memory.
    /// </summary>
    public static string? NotShared(AppliancePlan plan) =>
        plan.IsUbuntu() ? "this distribution's runs from its beginning each time"
        : plan.Disk.Value.Passphrase is not null ? "its memory would hold the key of the encrypted disk"
        : null;

    /// <summary>What decides the way, to hash. Of secrets the plan's fingerprint has what tells them apart.</summary>
    public static IEnumerable<string> Parts(AppliancePlan plan) =>
    [
        Format.ToString(CultureInfo.InvariantCulture),
        plan.Architecture.Value,
        plan.DiskBytes.Value.ToString(CultureInfo.InvariantCulture),
        .. plan.Disk.Value.Further.Select(disk => disk.Canonical),
        DebianBoot.CommandLine(plan.InstallMachine(), DebianBoot.CheapToEmulate),
        .. DebianAnswers.Shared(plan.ToDebianChoices()).Select(answer => $"{answer.Question} {answer.Type} {(answer.Secret ? answer.Digest : answer.Value)}"),
        .. InstallHooks.Shared("", plan.Mirror.Value.Authority, plan.Disk.Value, plan.InstallMachine()).Select(file => file.Text),
    ];
}
