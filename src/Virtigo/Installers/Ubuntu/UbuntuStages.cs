namespace Virtigo.Installers.Ubuntu;

/// <summary>Tells the stage of an install from the names of the installer's steps.</summary>
internal static class UbuntuStages
{
    /// <summary>Parts of names, the more telling before the less: who finds one is at least in its stage.</summary>
    private static readonly (string Part, InstallStage Stage)[] s_parts =
    [
        ("subiquity/Shutdown", InstallStage.Finishing),
        ("subiquity/Late", InstallStage.Finishing),
        ("/postinstall", InstallStage.Packages),
        ("stage-curthooks", InstallStage.Kernel),
        ("cmd-curthooks", InstallStage.Kernel),
        ("stage-extract", InstallStage.BaseSystem),
        ("cmd-extract", InstallStage.BaseSystem),
        ("stage-partitioning", InstallStage.Disk),
        ("cmd-block-meta", InstallStage.Disk),
        ("/curtin_install", InstallStage.Disk),
    ];

    /// <summary>The stage that a report belongs to, or null when it tells none.</summary>
    public static InstallStage? Of(InstallerReport report)
    {
        // A step of a child process is reported below the step that runs it; what comes last says where it is.
        (string Part, InstallStage Stage) last = s_parts.Where(part => report.Name.Contains(part.Part, StringComparison.Ordinal))
            .OrderByDescending(part => report.Name.LastIndexOf(part.Part, StringComparison.Ordinal)).FirstOrDefault();
        return last.Part is null || report.Finished ? null : last.Stage;
    }
}
