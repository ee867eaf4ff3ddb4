namespace Virtigo.Installers.Debian;

/// <summary>Every question that a known set of installer components and packages can ask.</summary>
public sealed class TemplateCatalog
{
    private const int MaximumTemplates = 100_000;
    private readonly Dictionary<string, DebconfTemplate> _byName = new(StringComparer.Ordinal);
    private readonly TemplateTexts _texts = new();

    /// <summary>Creates an empty catalog.</summary>
    public TemplateCatalog()
    {
    }

    /// <summary>The templates, by name.</summary>
    public IReadOnlyCollection<DebconfTemplate> All => _byName.Values;

    /// <summary>Adds the templates of a package: the content of its <c>DEBIAN/templates</c>, or of its <c>.templates</c> in the initrd.</summary>
    /// <param name="package">The package's name.</param>
    /// <param name="templates">The file's text. Malformed parts are passed over.</param>
    public void Add(string package, TextReader templates)
    {
        ArgumentNullException.ThrowIfNull(package);
        ArgumentNullException.ThrowIfNull(templates);
        foreach (DebconfTemplate template in TemplateReader.Read(package, templates))
        {
            if (_byName.Count >= MaximumTemplates)
            {
                return;
            }

            _byName[template.Name] = template;
            _texts.Add(template);
        }
    }

    /// <summary>The questions of an installer build: of its initial file system and of every component.</summary>
    /// <param name="build">The build.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="InvalidDataException">The cached build is damaged.</exception>
    internal static async Task<TemplateCatalog> OfAsync(InstallerBuild build, CancellationToken cancellationToken)
    {
        var catalog = new TemplateCatalog();
        foreach ((string package, string text) in await InstallerTemplates.ReadAsync(build, cancellationToken))
        {
            catalog.Add(package, new StringReader(text));
        }

        return catalog;
    }

    /// <summary>The template of a question.</summary>
    /// <param name="name">The question's debconf name.</param>
    /// <returns>The template, or null when no known component asks this.</returns>
    public DebconfTemplate? Find(string name) => _byName.GetValueOrDefault(name);

    /// <summary>The questions that a screen may show, found by its text; several when they ask in the same words.</summary>
    /// <param name="description">The question's line on the screen, with its variables filled in.</param>
    internal IReadOnlyList<DebconfTemplate> FindByDescription(string description) => _texts.Find(description);
}
