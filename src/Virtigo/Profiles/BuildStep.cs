using System.Globalization;

namespace Virtigo.Profiles;

/// <summary>One thing that a profile does in a system that does not run yet.</summary>
/// <param name="Kind">A file or a unit.</param>
/// <param name="Targets">The file; or units, of which the first that is there is meant. All are known to <see cref="ProfileTargets"/>.</param>
/// <param name="Wanted">The state: a file's content, or <see cref="ProfileChange.On"/>.</param>
internal sealed record BuildStep(ChangeKind Kind, IReadOnlyList<string> Targets, string Wanted)
{
    /// <summary>An argument of the kernel's with which there is nothing to do; null when the file decides.</summary>
    public string? Argument { get; init; }

    /// <summary>Whether that argument comes before those that are there.</summary>
    public bool First { get; init; }

    /// <summary>A unit that starts at each boot: the first of some that is there.</summary>
    public static BuildStep Unit(IReadOnlyList<string> units) => new(ChangeKind.Unit, units, ProfileChange.On);

    /// <summary>An argument for the kernel, by GRUB.</summary>
    public static BuildStep Kernel(string file, string argument, bool first) =>
        new(ChangeKind.File, [file], ProfileChange.File(file, GrubText(argument, first)).Wanted) { Argument = argument, First = first };

    /// <summary>What adds an argument to those that GRUB gives the kernel.</summary>
    public static string GrubText(string argument, bool first) => string.Create(CultureInfo.InvariantCulture,
        $"GRUB_CMDLINE_LINUX=\"{(first ? $"{argument} $GRUB_CMDLINE_LINUX" : $"$GRUB_CMDLINE_LINUX {argument}")}\"\n");

    /// <summary>The step in a few words.</summary>
    public string Words => Argument is { } argument ? $"{argument} in {Targets[0]}" : $"{string.Join(" or ", Targets)} enabled";
}
