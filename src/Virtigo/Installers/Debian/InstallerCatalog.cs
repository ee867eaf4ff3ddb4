namespace Virtigo.Installers.Debian;

/// <summary>The questions of an assembled installer.</summary>
internal static class InstallerCatalog
{
    /// <summary>Reads the templates of its initial file system and of every component.</summary>
    public static async Task<TemplateCatalog> ReadAsync(InstallerBuild build, CancellationToken cancellationToken)
    {
        var catalog = new TemplateCatalog();
        foreach ((string package, string text) in await InstallerTemplates.ReadAsync(build, cancellationToken))
        {
            using var reader = new StringReader(text);
            catalog.Add(package, reader);
        }

        return catalog;
    }
}
